"""The reports service: keeps what is reported, tells moderators who are there, and what became of it."""

from typing import Final
from uuid import UUID

from veza.actors.database import DatabaseActor
from veza.actors.fanout import FanOut
from veza.actors.messages.common import RefusedError, RejectCode
from veza.actors.messages.reports import (
    FileRefused,
    FileReport,
    HandleReport,
    ListReports,
    RefusedFiled,
    ReportFiled,
    ReportsListed,
    ReportTold,
    ShowReport,
)
from veza.actors.runtime.address import Address
from veza.actors.topics import user_topic
from veza.config.ids import uuid7
from veza.persistence import audit, reports
from veza.persistence.errors import AlreadyExistsError
from veza.persistence.pool import Connection, Pool
from veza.persistence.reports import Report, ReportReason, ReportState

MAX_TOLD: Final = 100
"""Moderators who are told of one report; the others see it in the list."""
MAX_OPEN_OF_RULES: Final = 20
"""Open reports that the rules of a room make about one member."""
_NO_SUCH: Final = "There is no such report."


class ReportsActor(DatabaseActor):
    """Reports as a table. News of them is volatile: who is not there finds them in the list."""

    def __init__(self, *, pool: Pool, fan_out: FanOut) -> None:
        super().__init__(pool=pool)
        self.fan_out = fan_out

    async def receiveMsg_FileReport(self, command: FileReport, _sender: Address) -> ReportTold:
        async with self.transaction() as conn:
            subject_id, evidence = await self._about(conn, command)
            if subject_id == command.reporter.id:
                raise RefusedError(RejectCode.FORBIDDEN, "Nobody reports themselves.")
            is_new = await reports.insert_report(
                conn,
                report_id=command.report_id,
                room_id=command.room_id,
                message_id=command.message_id,
                subject_id=subject_id,
                reporter_id=command.reporter.id,
                rule=None,
                reason=command.reason,
                text=command.text,
                evidence=evidence,
            )
            if not is_new:
                raise RefusedError(RejectCode.ALREADY_EXISTS, "You have reported that already.")
            report = await self._existing(conn, command.report_id, command.reporter.id)
            told = await self._addressees(conn, command.room_id, subject_id)
        self._tell(told, report.id, report.room_id, report.reason)
        return ReportTold(report=report)

    async def _about(self, conn: Connection, command: FileReport) -> tuple[UUID, str]:
        """Return whom a report is about, and what they wrote."""
        if command.room_id is not None and command.message_id is not None:
            found = await reports.find_evidence(conn, command.room_id, command.message_id)
            if found is None:
                raise RefusedError(RejectCode.UNKNOWN_MESSAGE, "There is no such message.")
            return found
        if command.user_id is None or not await reports.is_user(conn, command.user_id):
            raise RefusedError(RejectCode.NOT_FOUND, "There is no such account.")
        return command.user_id, ""

    async def receiveMsg_FileRefused(self, command: FileRefused, _sender: Address) -> RefusedFiled:
        report_id, author_id = uuid7(), command.author.id
        async with self.transaction() as conn:
            if await reports.count_of_rules(conn, command.room_id, author_id) >= MAX_OPEN_OF_RULES:
                return RefusedFiled(is_new=False)
            is_new = await reports.insert_report(
                conn,
                report_id=report_id,
                room_id=command.room_id,
                message_id=command.message_id,
                subject_id=author_id,
                reporter_id=None,
                rule=command.rule,
                reason=ReportReason.RULE_VIOLATION,
                text=command.detail,
                evidence=command.text,
            )
            told = await self._addressees(conn, command.room_id, author_id)
        if is_new:
            self._tell(told, report_id, command.room_id, ReportReason.RULE_VIOLATION)
        return RefusedFiled(is_new=is_new)

    async def receiveMsg_ShowReport(self, command: ShowReport, _sender: Address) -> ReportTold:
        async with self.connection() as conn:
            return ReportTold(report=await self._existing(conn, command.report_id, command.viewer))

    async def receiveMsg_ListReports(self, command: ListReports, _sender: Address) -> ReportsListed:
        async with self.connection() as conn:
            found = await reports.list_reports(
                conn,
                viewer=command.viewer,
                room_id=command.room_id,
                state=command.state,
                before=command.before,
                limit=command.limit,
            )
        return ReportsListed(reports=found)

    async def receiveMsg_HandleReport(self, command: HandleReport, _sender: Address) -> ReportTold:
        async with self.transaction() as conn:
            try:
                is_there = await reports.handle_report(
                    conn,
                    command.report_id,
                    state=command.state,
                    note=command.note,
                    by_id=command.by.id,
                )
            except AlreadyExistsError as error:
                detail = "Another report by the same person about this account is open."
                raise RefusedError(RejectCode.INVALID_STATE, detail) from error
            if not is_there:
                raise RefusedError(RejectCode.NOT_FOUND, _NO_SUCH)
            await self._note(conn, command)
            return ReportTold(report=await self._existing(conn, command.report_id, command.by.id))

    async def _note(self, conn: Connection, command: HandleReport) -> None:
        await audit.insert_act(
            conn,
            act_id=uuid7(),
            actor_id=command.by.id,
            actor_name=command.by.name,
            via="http",
            action="report.reopened"
            if command.state is ReportState.OPEN
            else f"report.{command.state}",
            target=f"report {command.report_id}",
            reason=command.note,
            request_id=command.request_id,
        )

    async def _existing(self, conn: Connection, report_id: UUID, viewer: UUID) -> Report:
        report = await reports.get_report(conn, report_id, viewer)
        if report is None:
            raise RefusedError(RejectCode.NOT_FOUND, _NO_SUCH)
        return report

    async def _addressees(
        self, conn: Connection, room_id: UUID | None, subject_id: UUID
    ) -> tuple[UUID, ...]:
        return await reports.list_addressees(conn, room_id, subject_id, limit=MAX_TOLD)

    def _tell(
        self, told: tuple[UUID, ...], report_id: UUID, room_id: UUID | None, reason: ReportReason
    ) -> None:
        news = ReportFiled(report_id=report_id, room_id=room_id, reason=reason)
        for user_id in told:
            self.fan_out.publish_everywhere(user_topic(user_id), news)
