"""The control API's recordings: begun and ended by request, into one folder of the gateway's."""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field

from gateway.recordings import Job, Recordings, RecordingState
from gateway.timeshift.recording import Format


class NewRecording(BaseModel):
    """What is to be recorded."""

    stream: Annotated[
        str,
        Field(
            max_length=100, description="The stream's name, as in /api/v1/streams; with /720p behind it that size only."
        ),
    ]
    format: Annotated[Format, Field(description="Fragmented MP4 or MPEG-TS; both play while they grow.")] = Format.MP4


class RecordingReport(BaseModel):
    """How a recording goes, or how it went."""

    id: str
    stream: str
    state: RecordingState
    trouble: Annotated[str, Field(description="Why it failed; else empty.")]
    files: Annotated[
        list[str], Field(description="On the gateway's machine; a new one where the broadcast began anew.")
    ]
    seconds: float
    size_bytes: int


def recordings_router(recordings: Recordings) -> APIRouter:
    """Routes under /api/v1/recordings."""
    router = APIRouter(prefix="/api/v1/recordings", tags=["recordings"])

    @router.get("", summary="All recordings, the newest first")
    async def list_recordings() -> list[RecordingReport]:
        return [report(job) for job in recordings.all()]

    @router.get("/{id}", summary="One recording")
    async def show_recording(id: str) -> RecordingReport:  # noqa: A002 - the path's name for it, in the API's terms
        return report(recordings.get(id))

    @router.post("", status_code=201, summary="Begin to record a stream")
    async def start_recording(new: NewRecording, response: Response) -> RecordingReport:
        job = recordings.start(new.stream, new.format)
        response.headers["location"] = f"/api/v1/recordings/{job.id}"
        return report(job)

    @router.delete("/{id}", summary="End a recording; its files stay")
    async def stop_recording(id: str) -> RecordingReport:  # noqa: A002 - the path's name for it, in the API's terms
        job = recordings.get(id)
        await job.stop()
        return report(job)

    return router


def report(job: Job) -> RecordingReport:
    """A recording as it is now."""
    tape = job.recording.tape
    return RecordingReport(
        id=job.id,
        stream=job.stream,
        state=job.state,
        trouble=job.trouble,
        files=[str(path) for path in tape.files],
        seconds=round(job.recording.seconds, 3),
        size_bytes=tape.size_bytes,
    )
