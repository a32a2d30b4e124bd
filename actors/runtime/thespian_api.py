"""The part of Thespian this project relies on; the stub beside this file gives it types.

Thespian ships none. Everything here is its documented API but `isInternalActorSystemMessage`,
`actualActorClass`, the status messages, `ExpirationTimer` and the source loader: those are
internals, small and frozen with the pinned version 4.0.1, and covered by its own test-suite.
"""

from thespian.actors import (
    Actor,
    ActorAddress,
    ActorExitRequest,
    ActorSystem,
    ActorSystemException,
    ActorSystemMessage,
    ActorTypeDispatcher,
    ChildActorExited,
    DeadEnvelope,
    InvalidActorAddress,
    InvalidActorSpecification,
    LoadedSource,
    NoCompatibleSystemForActor,
    PoisonMessage,
    ThespianGeneration,
    ThespianWatch,
    UnloadedSource,
    ValidatedSource,
    ValidateSource,
    WakeupMessage,
    WatchMessage,
)
from thespian.system import isInternalActorSystemMessage
from thespian.system.messages.status import (
    Thespian_ActorStatus,
    Thespian_StatusReq,
    Thespian_SystemStatus,
)
from thespian.system.sourceLoader import SourceHashFinder, loadModuleFromHashSource
from thespian.system.timing import ExpirationTimer
from thespian.system.utilis import actualActorClass

__all__ = [
    "Actor",
    "ActorAddress",
    "ActorExitRequest",
    "ActorSystem",
    "ActorSystemException",
    "ActorSystemMessage",
    "ActorTypeDispatcher",
    "ChildActorExited",
    "DeadEnvelope",
    "ExpirationTimer",
    "InvalidActorAddress",
    "InvalidActorSpecification",
    "LoadedSource",
    "NoCompatibleSystemForActor",
    "PoisonMessage",
    "SourceHashFinder",
    "ThespianGeneration",
    "ThespianWatch",
    "Thespian_ActorStatus",
    "Thespian_StatusReq",
    "Thespian_SystemStatus",
    "UnloadedSource",
    "ValidateSource",
    "ValidatedSource",
    "WakeupMessage",
    "WatchMessage",
    "actualActorClass",
    "isInternalActorSystemMessage",
    "loadModuleFromHashSource",
]
