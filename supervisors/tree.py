"""The whole supervision tree of a node on one page: who is started, in which order, under whom.

root (rest_for_one)
├── directory        (family, id) -> address; everything below is lost with it
├── services         accounts, credentials, roles, arrivals, rooms, ways into them, room log and writer,
│                    posts, pointers, messages, search and its index, media, catalogue, uploads, downloads,
│                    artworks, jobs, listening, segments, attachments, social, marks, comments,
│                    playlists, search in the catalogue, audit, reports, presence and its store; the bus
├── rooms            a RoomActor for each room in use
├── sessions         a SessionActor for each signed-in connection
├── pipelines        an EncodingPipelineActor, with its process, for each encoding
├── stream_jobs      a StreamJobActor for each track's job this node holds
├── thumbnail_jobs   a ThumbnailJobActor, with its process, for each picture's job this node holds
├── copy_jobs        a CopyJobActor, with its process, for each copy's job this node holds
├── artwork_jobs     an ArtworkJobActor, with its process, for each track's picture this node makes small
└── dispatcher       claims jobs; last, so that nothing is claimed before it can run
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final
from uuid import UUID

from veza.actors.accounts import AccountPolicy, AccountsActor
from veza.actors.arrivals import ArrivalsActor
from veza.actors.artwork_job import ArtworkJobActor
from veza.actors.artworks import ArtworksActor
from veza.actors.attachments import AttachmentsActor
from veza.actors.audit import AuditActor
from veza.actors.base import ServiceActor
from veza.actors.bus import BusActor
from veza.actors.catalogue import CatalogueActor
from veza.actors.catalogue_search import CatalogueSearchActor
from veza.actors.chat.messages import MessagesActor
from veza.actors.chat.pointers import PointersActor
from veza.actors.chat.posts import PostsActor
from veza.actors.chat.presence import PresenceActor
from veza.actors.chat.presence_people import PresenceTimes
from veza.actors.chat.presence_store import PresenceStoreActor
from veza.actors.chat.reports import ReportsActor
from veza.actors.chat.room import RoomActor
from veza.actors.chat.rooms import RoomLogActor, RoomsActor, RoomWriterActor
from veza.actors.chat.search import SearchActor
from veza.actors.chat.search_index import SearchIndexActor
from veza.actors.chat.ways import WaysActor
from veza.actors.comments import CommentsActor
from veza.actors.copy_job import CopyJobActor
from veza.actors.credentials import CredentialsActor
from veza.actors.dispatcher import DispatcherActor
from veza.actors.downloads import DownloadsActor
from veza.actors.encoding.frames import ARTWORK_EDGE_PX, StartThumbnailFrame
from veza.actors.encoding.reserve import EncoderReserve
from veza.actors.encodings import EncodingsActor
from veza.actors.fanout import FanOut
from veza.actors.jobs import JobsActor
from veza.actors.listening import ListeningActor
from veza.actors.marks import MarksActor
from veza.actors.media import MediaActor
from veza.actors.media_keeper import MediaKeeperActor
from veza.actors.messages.jobs import DISPATCHER, JobType, StartEncoding, StartJob
from veza.actors.messages.presence import PRESENCE
from veza.actors.messages.sessions import OpenSession
from veza.actors.passwords import PasswordRules
from veza.actors.pipeline import EncoderLimits, EncodingPipelineActor
from veza.actors.playlists import PlaylistsActor
from veza.actors.process_job import ProcessJobActor
from veza.actors.rate_limit import Rate
from veza.actors.roles import RolesActor
from veza.actors.segments import SegmentsActor
from veza.actors.session import SessionActor
from veza.actors.social import SocialActor
from veza.actors.stream_job import StreamJobActor
from veza.actors.thumbnail_job import ThumbnailJobActor
from veza.actors.uploads import UploadLimits, UploadsActor
from veza.config.settings import Settings
from veza.persistence.media_store import MediaStore
from veza.persistence.pool import Pool
from veza.supervisors.child_spec import (
    ChildSpec,
    FamilySpec,
    Intensity,
    Ref,
    Restart,
    Strategy,
    SupervisorSpec,
)
from veza.supervisors.directory import Directory
from veza.supervisors.shared import Shared

DIRECTORY: Final = Ref("directory")
THUMBNAILERS: Final = 2
COPIERS: Final = 1
ILLUSTRATORS: Final = 1
"""How many pictures are made small at once: each takes a process and less than a second."""
THUMBNAIL_CPU_SECONDS: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Resources:
    """What actors are given beside each other's addresses."""

    node_id: UUID
    settings: Settings
    pool: Pool
    store: MediaStore
    fan_out: FanOut
    shared: Shared
    presence_times: PresenceTimes = field(default_factory=PresenceTimes)
    reserve: EncoderReserve = field(default_factory=EncoderReserve)


def build_tree(given: Resources) -> SupervisorSpec:
    """Describe a node's actors."""
    return SupervisorSpec(
        name="root",
        strategy=Strategy.REST_FOR_ONE,
        intensity=Intensity(restarts=3, period_seconds=30),
        children=(
            ChildSpec(name="directory", actor=Directory),
            SupervisorSpec(
                name="services",
                strategy=Strategy.ONE_FOR_ONE,
                intensity=Intensity(restarts=10, period_seconds=30),
                children=services(given),
            ),
            rooms(given),
            sessions(given),
            pipelines(given),
            stream_jobs(given),
            thumbnail_jobs(given),
            copy_jobs(given),
            artwork_jobs(given),
            ChildSpec(
                name="dispatcher",
                actor=DispatcherActor,
                kwargs={"directory": DIRECTORY, "slots": slots(given.settings)},
                key=DISPATCHER,
            ),
        ),
    )


# --- services ---


def services(given: Resources) -> tuple[ChildSpec, ...]:
    """Describe the services; none needs another to start, so their order does not matter."""
    return (*chat_services(given), *media_services(given), *presence(given), *bus(given))


def chat_services(given: Resources) -> tuple[ChildSpec, ...]:
    """Describe what keeps accounts, rooms and messages, and what finds them."""
    settings = given.settings
    pool: dict[str, object] = {"pool": given.pool}
    directory: dict[str, object] = {"directory": DIRECTORY}
    rates: dict[str, object] = {"rates": given.shared.rates}
    fan_out: dict[str, object] = {"fan_out": given.fan_out}
    cost: dict[str, object] = {"bcrypt_cost": settings.bcrypt_cost}
    rules = {"rules": PasswordRules(breached=settings.breached_passwords)}
    policy = AccountPolicy(
        is_registration_open=settings.is_registration_open,
        session_lifetime=timedelta(days=settings.session_days),
    )
    return (
        service("accounts", AccountsActor, pool | cost | rules | {"policy": policy}),
        service("credentials", CredentialsActor, pool | cost | rules),
        service("roles", RolesActor, pool),
        service("arrivals", ArrivalsActor, pool),
        service("rooms", RoomsActor, pool | rates | cost),
        service("room_log", RoomLogActor, pool),
        service("room_writer", RoomWriterActor, pool | directory),
        service("messages", MessagesActor, pool),
        service("search", SearchActor, pool),
        service("search_index", SearchIndexActor, pool),
        service("pointers", PointersActor, pool),
        service("ways", WaysActor, pool | rates | fan_out),
        service("posts", PostsActor, pool | directory),
        service("social", SocialActor, pool),
        service("marks", MarksActor, pool),
        service("comments", CommentsActor, pool),
        service("playlists", PlaylistsActor, pool),
        service("catalogue_search", CatalogueSearchActor, pool),
        service("reports", ReportsActor, pool | fan_out),
        service("audit", AuditActor, pool),
    )


def media_services(given: Resources) -> tuple[ChildSpec, ...]:
    """Describe what keeps files, and what is made of them."""
    settings = given.settings
    pool: dict[str, object] = {"pool": given.pool}
    store: dict[str, object] = {"store": given.store}
    node: dict[str, object] = {"node_id": given.node_id}
    directory: dict[str, object] = {"directory": DIRECTORY}
    upload = {"max_upload_bytes": settings.max_upload_bytes}
    limits = {"limits": upload_limits(settings)}
    reserve = {"reserve": given.reserve}
    longest = {"max_track_seconds": settings.max_track_seconds}
    segment = {"segment_seconds": settings.segment_seconds}
    attachment = {"max_attachment_bytes": settings.max_attachment_bytes}
    lease = {"lease_seconds": settings.job_lease_seconds}
    recipe = {"recipe": encoder_limits(settings).recipe}
    signed = {"playback_url_seconds": settings.playback_url_seconds}
    return (
        service("media", MediaActor, pool | store | upload | signed),
        service("catalogue", CatalogueActor, pool | store | directory | segment),
        service("artworks", ArtworksActor, pool | store | directory | node),
        service("downloads", DownloadsActor, pool | store | directory | node | longest),
        service("uploads", UploadsActor, pool | store | directory | limits | reserve),
        service("listening", ListeningActor, pool),
        service("attachments", AttachmentsActor, pool | store | directory | node | attachment),
        service("jobs", JobsActor, pool | directory | node | lease | recipe),
        service("segments", SegmentsActor, pool | store | node),
        service("encodings", EncodingsActor, pool | directory | recipe),
        service("media_keeper", MediaKeeperActor, pool | store),
    )


def presence(given: Resources) -> tuple[ChildSpec, ...]:
    """Describe who knows who is there: a state machine, and the service that asks other nodes."""
    store_kwargs = {"pool": given.pool, "shared": given.shared.presence}
    return (
        service("presence_store", PresenceStoreActor, store_kwargs),
        ChildSpec(
            name="presence",
            actor=PresenceActor,
            kwargs={
                "directory": DIRECTORY,
                "fan_out": given.fan_out,
                "is_shared": given.shared.bus.is_shared,
                "times": given.presence_times,
            },
            key=PRESENCE,
        ),
    )


def bus(given: Resources) -> tuple[ChildSpec, ...]:
    """Describe who listens to other nodes, if there may be any."""
    if not given.shared.bus.is_shared:
        return ()
    kwargs = {
        "bus": given.shared.bus,
        "pool": given.pool,
        "directory": DIRECTORY,
        "fan_out": given.fan_out,
    }
    return (service("bus", BusActor, kwargs),)


def service(family: str, actor: type[ServiceActor], kwargs: Mapping[str, object]) -> ChildSpec:
    """Describe one permanent actor whose key is its family alone."""
    return ChildSpec(name=family, actor=actor, kwargs=kwargs, key=(family, ""))


# --- families ---


def rooms(given: Resources) -> FamilySpec:
    """Describe the rooms in use. One that crashes is opened anew from its log."""
    settings = given.settings
    return FamilySpec(
        name="rooms",
        family="room",
        actor=RoomActor,
        kwargs={
            "directory": DIRECTORY,
            "fan_out": given.fan_out,
            "bus": given.shared.bus,
            "own_host": own_host(settings),
            "message_rate": Rate(
                per_second=settings.message_rate_per_10s / 10, burst=settings.message_burst
            ),
            "act_rate": Rate(per_second=settings.act_rate_per_10s / 10, burst=settings.act_burst),
            "reaction_rate": Rate(
                per_second=settings.reactions_per_min / 60, burst=settings.reactions_per_min
            ),
        },
        restart=Restart.TRANSIENT,
        max_children=100_000,
    )


def sessions(given: Resources) -> FamilySpec:
    """Describe the sessions. One that crashes is not restarted: its client comes back and resumes."""
    return FamilySpec(
        name="sessions",
        family="session",
        actor=SessionActor,
        kwargs={"directory": DIRECTORY, "fan_out": given.fan_out},
        restart=Restart.TEMPORARY,
        max_children=100_000,
        starts_with=frozenset({OpenSession}),
    )


def pipelines(given: Resources) -> FamilySpec:
    """Describe the encodings. One that crashes is not restarted: its job starts another."""
    return FamilySpec(
        name="pipelines",
        family="pipeline",
        actor=EncodingPipelineActor,
        kwargs={"limits": encoder_limits(given.settings), "reserve": given.reserve},
        restart=Restart.TEMPORARY,
        max_children=4 * given.settings.encoders,
        starts_with=frozenset({StartEncoding}),
    )


def stream_jobs(given: Resources) -> FamilySpec:
    """Describe the tracks' jobs. One that crashes goes on after what is stored."""
    return FamilySpec(
        name="stream_jobs",
        family="stream_job",
        actor=StreamJobActor,
        kwargs={
            "directory": DIRECTORY,
            "fan_out": given.fan_out,
            "lease_seconds": given.settings.job_lease_seconds,
        },
        restart=Restart.TRANSIENT,
        max_children=4 * given.settings.encoders,
        starts_with=frozenset({StartJob}),
    )


def thumbnail_jobs(given: Resources) -> FamilySpec:
    """Describe the jobs of pictures in messages."""
    start = {"start": thumbnail_limits(given.settings)}
    return process_jobs(given, "thumbnail_job", ThumbnailJobActor, THUMBNAILERS, start)


def copy_jobs(given: Resources) -> FamilySpec:
    """Describe the jobs of tracks in other codecs."""
    limits = {"limits": encoder_limits(given.settings)}
    return process_jobs(given, "copy_job", CopyJobActor, COPIERS, limits)


def artwork_jobs(given: Resources) -> FamilySpec:
    """Describe the jobs of tracks' pictures."""
    start = {"start": replace(thumbnail_limits(given.settings), max_edge_px=ARTWORK_EDGE_PX)}
    return process_jobs(given, "artwork_job", ArtworkJobActor, ILLUSTRATORS, start)


def process_jobs(
    given: Resources,
    family: str,
    actor: type[ProcessJobActor],
    at_once: int,
    kwargs: Mapping[str, object],
) -> FamilySpec:
    """Describe jobs of one process each. One that crashes is not restarted: the queue decides."""
    return FamilySpec(
        name=f"{family}s",
        family=family,
        actor=actor,
        kwargs={
            "directory": DIRECTORY,
            "fan_out": given.fan_out,
            "lease_seconds": given.settings.job_lease_seconds,
            **kwargs,
        },
        restart=Restart.TEMPORARY,
        max_children=4 * at_once,
        starts_with=frozenset({StartJob}),
    )


# --- what they are given ---


def own_host(settings: Settings) -> str:
    """Return the host under which people know this server, with its port unless it is the usual one."""
    url = settings.public_url
    if url is None or url.host is None:
        return ""
    is_usual = url.port in {None, 80, 443}
    return url.host if is_usual else f"{url.host}:{url.port}"


def upload_limits(settings: Settings) -> UploadLimits:
    """Say what uploads may take of the media store."""
    return UploadLimits(
        upload_bytes=settings.max_upload_bytes,
        account_bytes=settings.user_quota_bytes,
        unfinished=settings.unfinished_uploads,
        lifetime_seconds=settings.upload_lifetime_seconds,
    )


def slots(settings: Settings) -> Mapping[JobType, int]:
    """Say how many jobs of each type run at once."""
    return {
        JobType.TRANSCODE: settings.encoders,
        JobType.THUMBNAIL: THUMBNAILERS,
        JobType.COPY: COPIERS,
        JobType.ARTWORK: ILLUSTRATORS,
    }


def encoder_limits(settings: Settings) -> EncoderLimits:
    """Say what an encoder process makes and what it may use."""
    return EncoderLimits(
        ladder_kbps=settings.ladder_kbps,
        lossless=settings.ladder_lossless,
        segment_seconds=settings.segment_seconds,
        max_track_seconds=settings.max_track_seconds,
        max_cpu_seconds=settings.encoder_cpu_seconds,
        max_memory_bytes=settings.encoder_memory_bytes,
    )


def thumbnail_limits(settings: Settings) -> StartThumbnailFrame:
    """Say what a process that makes a picture small may use: a picture is not a song."""
    return StartThumbnailFrame(
        max_cpu_seconds=min(settings.encoder_cpu_seconds, THUMBNAIL_CPU_SECONDS),
        max_memory_bytes=settings.encoder_memory_bytes,
    )
