"""Addresses of this base: one method to post to, identity as equality."""

from veza.actors.runtime.thespian_api import ActorAddress


class Address(ActorAddress):
    """An address messages can be posted to. Compared by identity, so it may be a dict key."""

    __slots__ = ()

    def __init__(self) -> None:
        """Thespian's constructor keeps a text; here `path` makes it when it is asked for."""

    def post(self, message: object, sender: ActorAddress) -> None:
        """Accept a message; never raises, never waits."""
        raise NotImplementedError

    @property
    def path(self) -> str:
        raise NotImplementedError

    @property
    def addressDetails(self) -> object:
        return self.path

    @property
    def actorAddressString(self) -> str:
        return self.path

    def __str__(self) -> str:
        return f"ActorAddr-{self.path}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.path}>"

    __eq__ = object.__eq__
    __ne__ = object.__ne__
    __hash__ = object.__hash__


def path_of(address: ActorAddress) -> str:
    """Name any address readably, Thespian's own included."""
    return address.actorAddressString
