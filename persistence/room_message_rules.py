"""What becomes of events about messages, given what the batch holds.

Each rule changes the batch and says whether there is an event to place, or why not. No I/O.
"""

from collections.abc import Callable, Mapping
from typing import Final
from uuid import UUID

from veza.persistence.room_batch import Batch, blank, details_of, message_key
from veza.persistence.room_events import EMPTY_POST
from veza.persistence.room_rows import EventKind, NewEvent, Post, Unstored

MAX_EMOJI_EACH: Final = 20
"""How many different emoji one user may put on one message."""


def _post(batch: Batch, event: NewEvent) -> Unstored | bool:
    if event.details is None and event.reply_to is event.thread_id is event.peer is None:
        return True
    refused = post_refusal(batch, event)
    if refused is not None:
        return refused
    head = batch.heads[event.room_id]
    if event.thread_id is not None:
        root = batch.fate((event.room_id, event.thread_id))
        root.replies += 1
        root.last_reply_at = head.at
    if isinstance(event.details, Post):
        batch.mention(event.room_id, head.seq + 1, event.author.id, event.details)
    return True


def post_refusal(batch: Batch, event: NewEvent) -> Unstored | None:
    """Return why a message cannot be posted, if what it names stands in the way."""
    room_id = event.room_id
    if event.reply_to is not None and not batch.is_there((room_id, event.reply_to)):
        return Unstored.UNKNOWN_MESSAGE
    if event.thread_id is not None:
        root = (room_id, event.thread_id)
        if not batch.is_there(root) or batch.posts[root].thread_id is not None:
            return Unstored.UNKNOWN_MESSAGE
    return Unstored.BLOCKED if batch.is_blocked(event) else None


def _edit(batch: Batch, event: NewEvent) -> Unstored | bool:
    key = message_key(event)
    if not batch.is_there(key):
        return Unstored.UNKNOWN_MESSAGE
    text, before = batch.current(key)
    after = details_of(event, Post, EMPTY_POST)
    if not set(after.attachments) <= set(before.attachments):
        return Unstored.UNKNOWN_ATTACHMENT
    if (text, before) == (event.text, after):
        return False
    if batch.is_blocked(event):
        return Unstored.BLOCKED
    fate = batch.fate(key)
    fate.text, fate.details = event.text, after
    fate.edited_at, fate.edited_by = batch.heads[event.room_id].at, event.author.id
    if _called(after) != _called(before):
        post = batch.posts[key]
        batch.unmention(post)
        batch.mention(post.room_id, post.seq, post.author.id, after)
    return True


def _delete(batch: Batch, event: NewEvent) -> Unstored | bool:
    key = message_key(event)
    post = batch.posts.get(key)
    if post is None:
        return Unstored.UNKNOWN_MESSAGE
    if not batch.is_there(key):
        return False
    fate = batch.fate(key)
    fate.deleted_at, fate.deleted_by = batch.heads[event.room_id].at, event.author.id
    fate.pinned_at = fate.pinned_by = None
    if post.thread_id is not None:
        batch.fate((event.room_id, post.thread_id)).replies -= 1
    batch.unmention(post)
    batch.changes.unreacted.add(key)
    # What is sent again once it is deleted does not bring its text back.
    batch.posts[key] = blank(post)
    return True


def _pin(batch: Batch, event: NewEvent) -> Unstored | bool:
    key, is_pin = message_key(event), event.kind is EventKind.MESSAGE_PINNED
    if not batch.is_there(key):
        return Unstored.UNKNOWN_MESSAGE
    if is_pin == (key in batch.fates and batch.fates[key].pinned_at is not None):
        return False
    if batch.is_blocked(event):
        return Unstored.BLOCKED
    fate = batch.fate(key)
    fate.pinned_at = batch.heads[event.room_id].at if is_pin else None
    fate.pinned_by = event.author.id if is_pin else None
    return True


def _react(batch: Batch, event: NewEvent) -> Unstored | bool:
    key, is_added = message_key(event), event.kind is EventKind.REACTION_ADDED
    if not batch.is_there(key):
        return Unstored.UNKNOWN_MESSAGE
    emoji = batch.reactions.setdefault((*key, event.author.id), set())
    if is_added == (event.text in emoji):
        return False
    if is_added and batch.is_blocked(event):
        return Unstored.BLOCKED
    if is_added and len(emoji) >= MAX_EMOJI_EACH:
        return Unstored.TOO_MANY_REACTIONS
    (emoji.add if is_added else emoji.remove)(event.text)
    batch.reacted[(*key, event.author.id, event.text)] = is_added
    return True


def _called(post: Post) -> tuple[frozenset[UUID], bool]:
    return frozenset(post.mentions), post.mentions_room


MESSAGE_RULES: Final[Mapping[EventKind, Callable[[Batch, NewEvent], Unstored | bool]]] = {
    EventKind.MESSAGE_POSTED: _post,
    EventKind.MESSAGE_EDITED: _edit,
    EventKind.MESSAGE_DELETED: _delete,
    EventKind.MESSAGE_PINNED: _pin,
    EventKind.MESSAGE_UNPINNED: _pin,
    EventKind.REACTION_ADDED: _react,
    EventKind.REACTION_REMOVED: _react,
}
