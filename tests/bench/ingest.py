"""``make e2e-ingest``: every way to broadcast, by the real ffmpeg through a whole gateway into a real browser.

A row for each source and protocol; the last line is one JSON object.

``key`` counts from the arrival of the first key frame at the gateway to the first signed piece: the piece's own length
of 0.2 s is in it. ``start`` counts from the start of the pusher's process, its own start and encoder included, or from
asking for an input. ``late`` is what the ingest adds, at the 95th percentile and a second after the beginning: from a
piece's last frame, by its capture time, to its being signed. ``played`` says that the page's picture moved; there is a
screenshot of it. ``again`` counts pushers that were killed and started anew, after which the stream went on and the
page's player with it.
"""

import argparse
import io
import json
import shutil
import statistics
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from playwright.sync_api import Browser, Page
from playwright.sync_api import TimeoutError as NoPicture

from gateway.ingest.ffmpeg import bundled_ffmpeg
from tests.bench.ingest_house import House
from tests.e2e.browser import open_browser, open_page, wait_for_first_frame, wait_for_playback, watched

WAIT_S = 20.0
PIECES = 40
PIECES_AGAIN = 10
PLAYED_S = 2.0

SOURCE = (
    "-v quiet -nostdin -re -f lavfi -i testsrc2=s=640x360:r=25 -re -f lavfi -i sine=sample_rate=48000 "
    "-c:v libx264 -preset ultrafast -tune zerolatency -g 25 -pix_fmt yuv420p -b:v 1M -c:a aac -flush_packets 1"
)
CMAF = "-f mp4 -movflags +cmaf+frag_every_frame+empty_moov+default_base_moof+separate_moof -write_prft wallclock"
PUSHES = {
    "TS, HTTP POST": "-f mpegts -muxdelay 0 {http}",
    "TS, HTTP PUT": "-f mpegts -muxdelay 0 -method PUT {http}",
    "FLV, HTTP POST": "-f flv {http}",
    "CMAF, HTTP POST": CMAF + " {http}",
    "CMAF tracks, POST": f"-map 0:v {CMAF} {{http}}/Streams(video.cmfv) -map 1:a -c:a aac -flush_packets 1 {CMAF} "
    "{http}/Streams(audio.cmfa)",
    "DASH, PUT": "-f dash -ldash 1 -streaming 1 -seg_duration 1 -frag_duration 0.2 -method PUT {http}/manifest.mpd",
    "HLS of TS, PUT": "-f hls -hls_time 1 -method PUT -http_persistent 1 {http}/index.m3u8",
    "HLS of MP4, PUT": "-f hls -hls_time 1 -hls_segment_type fmp4 -method PUT {http}/index.m3u8",
    "RTMP": "-f flv {rtmp}",
    "SRT, passphrase": "-f mpegts -muxdelay 0 {srt}",
    "WHIP": "-profile:v baseline -c:a libopus -ac 2 -f whip {whip}",
}
WANTED_S = {
    "TS, HTTP POST": 1.0,
    "TS, HTTP PUT": 1.0,
    "CMAF, HTTP POST": 0.7,
    "CMAF tracks, POST": 0.7,
    "RTMP": 1.5,
    "SRT, passphrase": 1.5,
    "WHIP": 2.0,
}
"""From the first key frame on."""
INPUTS = {
    "file, copied": "film.mp4",
    "file, encoded": "film.mpeg2.ts",
    "folder of films": ".",
    "test picture": "test",
    "HTTP-TS URL": "http://127.0.0.1:{port}/film.ts",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One way to broadcast. Seconds; None is what was not seen, or is not there to be seen."""

    source: str
    started: bool
    key_s: float | None = None
    wanted_s: float | None = None
    start_s: float | None = None
    late_p95_s: float | None = None
    codecs: str = ""
    played: bool = False
    restarts: int = 0
    restarts_tried: int = 0

    def line(self) -> str:
        figures = " ".join(
            f"{value:7.2f}" if value is not None else " " * 7
            for value in (self.key_s, self.wanted_s, self.start_s, self.late_p95_s)
        )
        restarts = f"{self.restarts}/{self.restarts_tried}" if self.restarts_tried else "-"
        words = ["yes" if said else "NO" for said in (self.started, self.played)]
        return f"{self.source:18} {words[0]:8} {figures}  {self.codecs:34} {words[1]:7} {restarts}"


HEAD = (
    f"{'source':18} {'started':8} {'key s':>7} {'wanted':>7} {'start s':>7} {'late s':>7}  {'codecs':34} played  again"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What all rows share."""

    house: House
    browser: Browser
    pusher: str
    films: Path
    screenshots: Path
    restarts: int

    def push(self, name: str) -> Row:
        """One row of a push."""
        addresses = self.house.addresses(file_name(name))
        arguments = [word.format(**addresses) for word in f"{SOURCE} {PUSHES[name]}".split()]
        begun_s = self.house.begin()
        # Of Debian's ffmpeg only newer ones send WHIP.
        program = bundled_ffmpeg() or self.pusher if name == "WHIP" else self.pusher
        command = [program, *arguments]
        pushers = [subprocess.Popen(command)]
        try:
            if not self.house.wait_for_pieces(1, WAIT_S):
                return Row(source=name, started=False, wanted_s=WANTED_S.get(name))
            first_s, key_s = self.house.pieces[0][0], self.house.key_s
            self.house.wait_for_pieces(PIECES, WAIT_S)
            late_s = self.house.late_s()
            report = self._report()
            with self._page(report["id"]) as page:
                played = self._plays(page, name)
                survived = sum(self._restart(pushers, command, page) for _ in range(self.restarts))
        finally:
            end(pushers[-1])
        self.house.client.delete(f"{self.house.url}/api/v1/broadcasts/{report['id']}")
        return Row(
            source=name,
            started=True,
            key_s=round(first_s - key_s, 2) if key_s is not None else None,
            wanted_s=WANTED_S.get(name),
            start_s=round(first_s - begun_s, 2),
            late_p95_s=round(statistics.quantiles(late_s, n=20)[-1], 3),
            codecs=f"{report['video_codec']} {report['audio_codec']}" + (" copied" if report["copied"] else " encoded"),
            played=played,
            restarts=survived,
            restarts_tried=self.restarts,
        )

    def input(self, name: str) -> Row:
        """One row of an input that the gateway opens."""
        with serving_film(self.pusher, self.films) as port:
            source = INPUTS[name].format(port=port)
            path = self.films / source
            new = {"source": str(path) if path.exists() else source, "title": name, "loop": path.exists()}
            begun_s = self.house.begin()
            url = f"{self.house.url}/api/v1/broadcasts"
            answer = self.house.client.post(url, json=new | {"allow_private": True})
            assert answer.status_code == 201, answer.text
            started = self.house.wait_for_pieces(1, WAIT_S)
            played, late_s, report = False, [0.0, 0.0], answer.json()
            if started:
                self.house.wait_for_pieces(PIECES, WAIT_S)
                late_s = self.house.late_s()
                report = self._report()
                with self._page(report["id"]) as page:
                    played = self._plays(page, name)
            self.house.client.delete(f"{url}/{report['id']}")
        if not started:
            return Row(source=name, started=False)
        return Row(
            source=name,
            started=True,
            start_s=round(self.house.pieces[0][0] - begun_s, 2),
            late_p95_s=round(statistics.quantiles(late_s, n=20)[-1], 3),
            codecs=f"{report['video_codec']} {report['audio_codec']}" + (" copied" if report["copied"] else " encoded"),
            played=played,
        )

    def _report(self) -> dict[str, str]:
        return next(report for report in self.house.broadcasts() if report["state"] == "on-air")

    @contextmanager
    def _page(self, stream: str) -> Iterator[Page]:
        with open_page(self.browser, f"{self.house.url}/#{stream}") as page:
            yield page

    def _plays(self, page: Page, name: str) -> bool:
        """Whether the picture comes and moves; a screenshot is kept either way."""
        try:
            wait_for_first_frame(page, WAIT_S)
            frames = watched(page).frames
            wait_for_playback(page, PLAYED_S, WAIT_S)
            return watched(page).frames > frames
        except NoPicture:
            return False
        finally:
            page.screenshot(path=self.screenshots / f"{file_name(name)}.png")

    def _restart(self, pushers: list["subprocess.Popen[bytes]"], command: list[str], page: Page) -> bool:
        """Kill the pusher and start another one; whether the stream goes on, and the page with it."""
        end(pushers[-1])
        self.house.begin()
        pushers.append(subprocess.Popen(command))
        if not self.house.wait_for_pieces(PIECES_AGAIN, WAIT_S):
            return False
        try:
            wait_for_playback(page, PLAYED_S, WAIT_S)
        except NoPicture:
            return False
        return True


def file_name(source: str) -> str:
    return "-".join("".join(letter if letter.isalnum() else " " for letter in source.lower()).split())


def end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    process.wait()


def make_films(tool: str, folder: Path) -> None:
    """Ten seconds that can be copied, and the same in MPEG-2, which cannot."""
    picture = "-f lavfi -i testsrc2=s=640x360:r=25 -f lavfi -i sine=sample_rate=48000 -t 10"
    h264 = "-c:v libx264 -preset ultrafast -g 25 -pix_fmt yuv420p -b:v 1M -c:a aac"
    for name, coding in (("film.mp4", h264), ("film.ts", h264), ("film.mpeg2.ts", "-c:v mpeg2video -b:v 2M -c:a mp2")):
        subprocess.run([tool, *f"-v error -nostdin {picture} {coding}".split(), str(folder / name)], check=True)


@contextmanager
def serving_film(tool: str, films: Path) -> Iterator[int]:
    """A server of endless MPEG-TS, as a camera or a tuner is one; its port."""
    words = f"-v quiet -nostdin -re -stream_loop -1 -i {films / 'film.ts'} -c copy -f mpegts -flush_packets 1 pipe:1"

    class Film(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            source = subprocess.Popen([tool, *words.split()], stdout=subprocess.PIPE)
            assert isinstance(source.stdout, io.BufferedReader)
            try:
                while data := source.stdout.read1():
                    self.wfile.write(data)
            except OSError:
                pass  # nobody reads it any more
            finally:
                source.stdout.close()
                end(source)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Film) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make e2e-ingest", description=__doc__)
    parser.add_argument("names", nargs="*", help="parts of the names of rows; without any all of them")
    parser.add_argument("--pusher", default="system", help="system, bundled, or the path of an ffmpeg")
    parser.add_argument("--restarts", type=int, default=2, help="how often each pusher is killed")
    parser.add_argument("--screenshots", type=Path, help="a folder for them; without it one for the time being")
    return parser.parse_args()


def find_pusher(name: str) -> str:
    path = {"system": shutil.which("ffmpeg"), "bundled": bundled_ffmpeg()}.get(name, name)
    if path is None:
        raise SystemExit(f"There is no {name} ffmpeg on this machine.")
    return path


def main() -> None:
    options = arguments()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("No Chromium to play with: apt install chromium.")
    pusher = find_pusher(options.pusher)
    screenshots = options.screenshots or Path(tempfile.mkdtemp(prefix="seedcast-ingest-"))
    screenshots.mkdir(parents=True, exist_ok=True)
    rows = []
    print(f"Screenshots go to {screenshots}\n{HEAD}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_films(pusher, folder)
        with House(folder / "data") as house, open_browser(chromium) as browser:
            bench = Bench(
                house=house, browser=browser, pusher=pusher, films=folder, screenshots=screenshots,
                restarts=options.restarts,
            )  # fmt: skip
            for source in (*PUSHES, *INPUTS):
                if options.names and not any(part.lower() in source.lower() for part in options.names):
                    continue
                row = bench.push(source) if source in PUSHES else bench.input(source)
                rows.append(row)
                print(row.line(), flush=True)
    print(json.dumps({"pusher": options.pusher, "rows": [asdict(row) for row in rows]}))


if __name__ == "__main__":
    main()
