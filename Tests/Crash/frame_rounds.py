#!/usr/bin/env python3
"""Random turns of several frame sync clients, SQL and an operator, held to a model of the protocol.

Each seed is a database of its own on the same server. Its clients write with stock SQLite, push
their log in batches of any size and pull, one request a turn; in between come SQL writes,
checkpoints of all modes, VACUUM, lost answers, requests sent twice, forged ones, restarts, and
SIGKILL, also in the middle of a request. Checked:

- every answer, status and numbers and bytes, is the one that the protocol's tables ask for;
- what was acknowledged stays, what was not completed never shows, and a request that was cut off
  was done as a whole or not at all;
- nobody's frames are applied behind frames that its client does not have;
- the frames of each generation lead from its base to what all other clients see, page for page.

Usage: frame_rounds.py [--binary PATH] [--seeds N] [--seed FIRST]; without --binary, the
environment's TIDEMARK_BINARY. One seed repeats its turns exactly, except when kills come within
a request. Standard library only.
"""

import argparse
import http.client
import json
import os
import random
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

from clients import Violation
from frame_clients import (
    PAGE_SIZE,
    Client,
    Model,
    Workshop,
    apply_frames,
    decode_frames,
    differing,
    encode_frames,
    inspect,
)
from tidemark_server import Server
from wire import Peer, SQLFailure

CLIENTS = 3
TURNS = 40
CHECKPOINT_NEEDED = 60
BATCH_FRAMES = (1, 2, 3, 7, 128)
ARGUMENTS = (
    f"--checkpoint-needed-pages={CHECKPOINT_NEEDED}",
    "--min-checkpoint-page-count=20",
    "--frame-answer-pages=16",
)
NETWORK_ERRORS = (OSError, http.client.HTTPException)
LONGEST_REQUEST = 0.004  # In seconds: about then SIGKILL comes within a request.


class Seed:
    """One database with its clients, its operator and its model."""

    def __init__(self, number, server, workshop):
        self.random = random.Random(number)
        self.server = server
        self.workshop = workshop
        self.name = f"seed{number}"
        self.clients = [Client(f"client{index}") for index in range(CLIENTS)]
        self.rows = 0
        self.acknowledged = set()  # Rows that SQL has to find at the end.
        self.counts = {}
        self.peer = Peer(f"{server.url}/db/{self.name}", timeout=30.0)

    def run(self):
        self.admin("create")
        self.peer.sql("CREATE TABLE log(row INTEGER PRIMARY KEY, filler)")
        self.peer.sql("CREATE TABLE churn(id INTEGER PRIMARY KEY, filler)")
        self.model = Model(self.fetch_image(), CHECKPOINT_NEEDED)
        turns = (
            (self.write_locally, 10),
            (self.push, 24),
            (self.push_with_losses, 3),
            (self.pull, 14),
            (self.write_by_sql, 6),
            (self.change_nothing, 1),
            (self.forge, 3),
            (self.probe, 3),
            (self.checkpoint, 3),
            (self.end_generation, 1),
            (self.restart_client, 1),
            (self.bootstrap, 1),
            (self.restart_server, 1),
            (self.kill_within_push, 1),
            (self.kill_within_sql, 1),
        )
        for _ in range(TURNS):
            turn = self.random.choices([t for t, _ in turns], [weight for _, weight in turns])[0]
            self.counts[turn.__name__] = self.counts.get(turn.__name__, 0) + 1
            turn()
        self.finish()
        status, _, _ = Peer(self.server.admin).request("DELETE", f"/v1/namespaces/{self.name}")
        self.check(status == 200, f"DELETE was answered with {status}")

    # Requests

    def check(self, is_right, text):
        if not is_right:
            raise Violation(text)

    def admin(self, verb, body=None):
        status, _, answer = Peer(self.server.admin).request(
            "POST",
            f"/v1/namespaces/{self.name}/{verb}",
            json.dumps(body).encode() if body is not None else b"",
        )
        self.check(status == 200, f"{verb} was answered with {status} {answer[:200]!r}")

    def fetch_image(self):
        """The pages that clients of version 1 get."""
        answer = self.peer.pull()
        return [answer.pages[page_id] for page_id in range(answer.db_size)]

    def current_generation(self):
        status, _, body = self.peer.request("GET", "/info")
        self.check(status == 200, f"/info was answered with {status} {body!r}")
        self.model.begin()
        answer = json.loads(body)
        self.check(list(answer) == ["current_generation"], f"/info: {answer}")
        return answer["current_generation"]

    def get(self, generation, start, span=128):
        """(status, body) of a pull."""
        path = f"/sync/{generation}/{start}/{start + span}"
        status, _, body = self.peer.request("GET", path)
        return status, body

    def post(self, client_generation, start, frames, baton, body=None):
        path = f"/sync/{client_generation}/{start}/{start + len(frames)}"
        if baton is not None:
            path += "/" + baton
        return self.peer.request("POST", path, encode_frames(frames) if body is None else body)

    # The server's frames

    def learn(self, may_be_nothing=True):
        """Takes up the frames of commits that did not come as frames."""
        if self.model.generation == 0:
            self.model.image = self.fetch_image()
            return
        learned = []
        while True:
            status, body = self.get(self.model.generation, self.model.newest + 1 + len(learned))
            if status != 200:
                break
            learned += decode_frames(body)
            self.check(learned[-1][1] > 0, "an answer ends inside a transaction")
        self.check_end(status, body, self.model.newest + len(learned))
        self.check(may_be_nothing or learned, "a commit made no frames")
        self.model.append(learned)
        self.compare_image()

    def check_end(self, status, body, newest=None):
        newest = self.model.newest if newest is None else newest
        expected = {
            "baton": None,
            "status": "checkpoint_needed",
            "generation": self.model.generation,
            "max_frame_no": newest,
        }
        self.check(
            status == 400 and json.loads(body) == expected,
            f"{status} {body[:200]!r} at the end of a generation, not 400 {expected}",
        )

    def compare_image(self):
        image = self.fetch_image()
        different = differing(image, self.model.image)
        self.check(not different, f"pages {different[:10]} are not what the frames lead to")

    # Turns: clients

    def ready_client(self):
        client = self.random.choice(self.clients)
        if client.generation == 0:
            self.bootstrap(client)
        return client

    def bootstrap(self, client=None):
        client = client or self.random.choice(self.clients)
        generation = self.current_generation()
        self.check(generation == self.model.generation, f"/info says {generation}")
        status, _, body = self.peer.request("GET", f"/export/{generation}")
        self.check(status == 200, f"/export was answered with {status}")
        image = [body[at : at + PAGE_SIZE] for at in range(0, len(body), PAGE_SIZE)]
        different = differing(image, self.model.bases[generation])
        self.check(not different, f"/export: pages {different[:10]} are not the base's")
        client.bootstrap(generation, image)

    def statements(self):
        """One transaction's (sql, arguments)."""
        source = self.random
        kind = source.random()
        if kind < 0.05:
            return [("VACUUM", ())]
        if kind < 0.12:
            name = f"made{source.randrange(4)}"
            return [(f"DROP TABLE IF EXISTS {name}", ()), (f"CREATE TABLE {name}(a, b)", ())]
        if kind < 0.2:
            return [("DELETE FROM churn WHERE id % 3 = ?", (source.randrange(3),)), *self.insert(1)]
        count = source.choice((1, 1, 1, 2, 5, 40))
        filler = [
            ("INSERT INTO churn(filler) VALUES(?)", (source.randbytes(source.choice((9, 900, 6000))),))
            for _ in range(count)
        ]
        return [*filler, *self.insert(1)]

    def insert(self, count):
        self.rows += count
        return [("INSERT INTO log VALUES(?, NULL)", (self.rows,))]

    def write_locally(self):
        client = self.ready_client()
        if len(client.log) - client.confirmed > 150:
            return
        frames = self.workshop.transaction(client.image, self.statements())
        client.write(frames)

    def push(self):
        """One batch of one client, as `libsql` sends it."""
        client = self.pushing_client()
        if client is None:
            return
        start, frames = client.next_batch(self.random.choice(BATCH_FRAMES))
        self.take_answer(client, start, frames, *self.send(client, start, frames, client.baton))

    def pushing_client(self):
        """One that has something to push: rather one that has begun."""
        ready = [client for client in self.clients if client.has_unpushed]
        begun = [client for client in ready if client.baton]
        if begun and self.random.random() < 0.6:
            ready = begun
        return self.random.choice(ready) if ready else None

    def send(self, client, start, frames, baton):
        """Sends a batch and holds the answer to the model; (status, newest, baton)."""
        expected, newest, effect = self.model.expect(client.generation, start, frames, baton)
        status, _, body = self.post(client.generation, start, frames, baton)
        self.check(status == 200, f"a push was answered with {status} {body[:300]!r}")
        answer = json.loads(body)
        keys = {"status", "generation", "max_frame_no", "baton"}
        self.check(set(answer) == keys, f"a push was answered with {answer}")
        self.check(answer["generation"] == client.generation, f"another generation: {answer}")
        if expected == "gap" or self.is_resend(start, answer):
            self.check_resend(client, start, answer)
            effect = None
        else:
            self.check(
                answer["status"] == expected and newest in (None, answer["max_frame_no"]),
                f"{client.name} pushed {client.generation}/{start}+{len(frames)} to "
                f"{self.model.generation}/{self.model.newest}: {answer}, not {expected} {newest}",
            )
        self.apply(client, start, answer, effect)
        return answer["status"], answer["max_frame_no"], answer["baton"]

    def is_resend(self, start, answer):
        """Whether the client is asked for frames that it took to be the server's."""
        return (
            self.model.has_doubts
            and answer["status"] == "ok"
            and answer["baton"] is None
            and answer["max_frame_no"] < start - 1
        )

    def check_resend(self, client, start, answer):
        """The client is to send again what the server does not have, or cannot know to be the
        same; how much of it is the server's choice."""
        offset = self.model.offset(client.generation, start)
        newest = answer["max_frame_no"]
        is_right = answer["status"] == "conflict" or (
            answer["status"] == "ok" and newest <= offset + self.model.newest and newest < start - 1
        )
        self.check(is_right, f"a gap was answered with {answer}")

    def apply(self, client, start, answer, effect):
        """Does in the model what the server said that it did."""
        model = self.model
        if answer["status"] == "checkpoint_needed":
            model.has_asked = True
        if effect is None:
            self.check(answer["baton"] is None, f"a baton for nothing: {answer}")
            return
        transactions, rest = effect
        self.check(isinstance(answer["baton"], str) and answer["baton"], f"no baton: {answer}")
        if transactions:
            self.check_history(client, start)
            model.append(transactions)
            self.compare_image()
        model.staged[answer["baton"]] = (model.generation, model.newest + 1, rest)
        model.has_doubts |= bool(rest)

    def check_history(self, client, start):
        stored = list(self.model.frames[self.model.generation])
        if client.generation < self.model.generation:
            stored = self.model.frames[client.generation] + stored
        known = client.log[: min(start - 1, len(stored))]
        self.check(
            known == stored[: len(known)],
            f"frames {client.generation}/{start} of {client.name} were applied behind frames that "
            "it does not have",
        )

    def take_answer(self, client, start, frames, status, newest, baton):
        """What a client does with an answer."""
        if status == "ok":
            client.confirm(start + len(frames) - 1, newest, baton)
            return
        client.end_push()
        if status == "conflict":
            self.model.staged.pop(client.baton, None)
            # Users start again; until then the client tries and tries.
            if self.random.random() < 0.6:
                client.bootstrap(0, [])

    def push_with_losses(self):
        """The answer is lost: the client sends the batch again, at once or from its beginning."""
        client = self.pushing_client()
        if client is None:
            return
        start, frames = client.next_batch(self.random.choice(BATCH_FRAMES))
        baton = client.baton
        if self.random.random() < 0.1:
            baton = "0123456789abcdef"
        self.send(client, start, frames, baton)
        if self.random.random() < 0.5:
            client.restart()
        elif self.random.random() < 0.5:
            client.end_push()

    def restart_client(self):
        self.random.choice(self.clients).restart()

    def pull(self):
        """One request of a client that has nothing to push."""
        client = self.ready_client()
        if client.has_unpushed:
            return
        start = client.confirmed + 1
        status, body = self.get(client.generation, start)
        self.check_pull(client.generation, start, status, body)
        if status == 200:
            client.pull(decode_frames(body))
        elif json.loads(body)["generation"] > client.generation:
            client.move_on()
        elif self.model.newest == start - 1:
            different = differing(client.image, self.model.image)
            self.check(not different, f"{client.name}: pages {different[:10]} are not the server's")

    def check_pull(self, generation, start, status, body):
        model = self.model
        if generation > model.generation:
            return self.check(status == 410, f"{status} for generation {generation}")
        stored = model.frames[generation]
        if start <= len(stored):
            self.check(status == 200, f"{status} {body[:200]!r} for {generation}/{start}")
            frames = decode_frames(body)
            end = start - 1 + len(frames)
            self.check(frames == stored[start - 1 : end], f"{generation}/{start}: other frames")
            self.check(frames[-1][1] > 0, f"{generation}/{start}: no commit at the end")
        elif self.is_known_end(generation, start):
            self.check_end(status, body)
        elif generation >= model.generation - 1:
            self.check(status == 410, f"{status} {body[:200]!r} for a client that is ahead")
        else:
            self.check(status in (400, 410), f"{status} behind the end of an old generation")

    def is_known_end(self, generation, start):
        """Whether a client can have come there: by late pushes also behind the end."""
        behind = start - 1 - len(self.model.frames[generation])
        if generation == self.model.generation - 1:
            return behind <= self.model.newest
        return behind == 0

    def probe(self):
        """A pull from anywhere."""
        if self.model.generation == 0:
            return
        generation = self.random.randint(1, self.model.generation + 1)
        count = len(self.model.frames.get(generation, ()))
        start = self.random.randint(1, count + 3)
        stored = self.model.frames.get(generation, [])
        status, body = self.get(generation, start)
        self.check_pull(generation, start, status, body)
        if status == 200 and stored:
            frames = decode_frames(body)
            image = apply_frames(self.model.bases[generation], stored[: start - 1 + len(frames)])
            inspect(image, "SELECT count(*) FROM log")

    def forge(self):
        """Requests that are wrong, and frames that are not what the server has."""
        client = self.ready_client()
        frames = client.log[:3] or [(1, 1, bytes(PAGE_SIZE))]
        before = self.model.generation, self.model.newest
        kind = self.random.randrange(4)
        if kind == 0:
            status, _, body = self.post(client.generation, 1, frames, None, b"x" * 4119)
            self.check(400 <= status < 500, f"a body of 4119 bytes: {status} {body[:200]!r}")
        elif kind == 1:
            status, _, body = self.post(client.generation, 0, frames, None)
            self.check(400 <= status < 500, f"a push from frame 0: {status} {body[:200]!r}")
        elif kind == 2:
            status, _, body = self.post(client.generation, 5, [], None)
            self.check(400 <= status < 500, f"a push of nothing: {status} {body[:200]!r}")
        elif self.model.newest:
            self.push_other_frame()
        self.check(before == (self.model.generation, self.model.newest), "something was applied")

    def push_other_frame(self):
        """A frame that the server has, with one difference, and one that is new behind it."""
        model = self.model
        at = self.random.randint(1, model.newest)
        number, size, page = model.frames[model.generation][at - 1]
        other = bytearray(page)
        other[self.random.randrange(PAGE_SIZE)] ^= 1 << self.random.randrange(8)
        forged = self.random.choice(
            ((number + 1, size, page), (number, size ^ 8, page), (number, size, bytes(other)))
        )
        frames = [forged, *model.frames[model.generation][at:]]
        self.check(
            model.expect(model.generation, at, frames, None)[0] == "conflict", "a forged frame"
        )
        self.send(Client("forger").at(model.generation), at, frames, None)

    # Turns: SQL and the operator

    def write_by_sql(self):
        statements = self.statements()
        for sql, arguments in statements:
            self.peer.sql(sql, *arguments)
        self.acknowledge(statements)
        self.learn()

    def acknowledge(self, statements):
        rows = {arguments[0] for sql, arguments in statements if sql.startswith("INSERT INTO log")}
        self.acknowledged |= rows

    def change_nothing(self):
        """Commits without a change and transactions that are rolled back make no frames."""
        before = self.model.newest if self.model.generation else 0
        self.peer.sql("DELETE FROM log WHERE row < 0")
        big = "INSERT INTO churn(filler) SELECT randomblob(900) FROM generate_series(1, 3000)"
        self.peer.pipeline([{"type": "sequence", "sql": f"BEGIN; {big}; ROLLBACK"}])
        self.learn()
        self.check(self.model.generation == 0 or self.model.newest == before, "frames of nothing")

    def checkpoint(self):
        self.admin("checkpoint", {"mode": self.random.choice(("passive", "full"))})

    def end_generation(self):
        self.admin("checkpoint", {"mode": self.random.choice(("restart", "truncate"))})
        if self.model.generation == 0:
            return
        if self.model.newest > 0:  # One without frames has nothing to end.
            self.model.roll()
        generation = self.current_generation()
        self.check(generation == self.model.generation, f"generation {generation} after a roll")

    def restart_server(self):
        self.server.restart(kill=self.random.random() < 0.5)
        self.model.restart()
        if self.model.generation:
            self.check(self.current_generation() == self.model.generation, "another generation")
            self.learn()

    def kill_during(self, request):
        """Kills the server while a thread waits for the answer; returns the answer, or None."""
        answers = []

        def ask():
            try:
                answers.append(request())
            except NETWORK_ERRORS:
                pass

        thread = threading.Thread(target=ask)
        thread.start()
        # Not an event to wait for but the moment of the kill: any moment is right.
        thread.join(self.random.uniform(0, LONGEST_REQUEST))
        self.server.kill()
        thread.join(60)
        self.check(not thread.is_alive(), "a client is stuck though the server is gone")
        self.server.start()
        self.model.restart()
        return answers[0] if answers else None

    def kill_within_push(self):
        client = self.pushing_client()
        if client is None:
            return
        start, frames = client.next_batch(self.random.choice(BATCH_FRAMES))
        baton = client.baton
        expected, _, effect = self.model.expect(client.generation, start, frames, baton)
        answer = self.kill_during(lambda: self.post(client.generation, start, frames, baton))
        client.restart()
        transactions = effect[0] if effect else []
        status, body = self.get(self.model.generation, self.model.newest + 1)
        is_done = status == 200
        if is_done:
            self.check(transactions, "frames of nothing after a kill")
            self.check_history(client, start)
            self.model.append(transactions)
        self.model.has_doubts = True
        self.compare_image()
        self.learn()
        if answer is not None:
            said = json.loads(answer[2])
            is_taken = said["status"] == "ok" and said["max_frame_no"] == start + len(frames) - 1
            self.check(is_done == (is_taken and bool(transactions)), f"{said}, but {is_done}")
        # Whether the question came to be noted shows at the next one only.
        if expected == "checkpoint_needed":
            self.ask_again()

    def ask_again(self):
        """After a kill the generation may have been noted as asked, or not: finds out."""
        client = Client("asker").at(self.model.generation)
        client.log = list(self.model.frames[self.model.generation])
        client.image = self.model.image
        client.confirmed = len(client.log)
        client.write(self.workshop.transaction(client.image, self.insert(1)))
        start, frames = client.next_batch(128)
        status, _, body = self.post(client.generation, start, frames, None)
        answer = json.loads(body)
        self.model.has_asked = True
        if answer["status"] == "ok":
            self.model.append(frames)
            self.model.staged[answer["baton"]] = (self.model.generation, self.model.newest + 1, [])
        else:
            self.check(answer["status"] == "checkpoint_needed", f"{status} {answer}")
        self.compare_image()

    def kill_within_sql(self):
        statements = self.insert(1)
        answer = self.kill_during(lambda: self.peer.sql(statements[0][0], *statements[0][1]))
        if answer is not None:
            self.acknowledge(statements)
        self.learn()

    # The end

    def finish(self):
        self.bootstrap(self.clients[0])
        for client in self.clients:
            if client.generation == 0 or client.has_unpushed:
                self.bootstrap(client)
            self.settle(client)
        rows = {row for (row,) in inspect(self.model.image, "SELECT row FROM log")}
        self.check(self.acknowledged <= rows, f"lost: {sorted(self.acknowledged - rows)}")

    def settle(self, client):
        for _ in range(1000):
            start = client.confirmed + 1
            status, body = self.get(client.generation, start)
            self.check_pull(client.generation, start, status, body)
            if status == 200:
                client.pull(decode_frames(body))
            elif client.generation < self.model.generation:
                client.move_on()
            else:
                break
        different = differing(client.image, self.model.image)
        self.check(not different, f"{client.name}: pages {different[:10]} are not the server's")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--binary", default=os.environ.get("TIDEMARK_BINARY"))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=None, help="the first seed")
    options = parser.parse_args()
    if not options.binary:
        parser.error("name the server with --binary or TIDEMARK_BINARY")
    first = options.seed if options.seed is not None else random.randrange(1 << 32)
    print(f"frame_rounds: seeds {first} to {first + options.seeds - 1}", flush=True)

    directory = Path(tempfile.mkdtemp(prefix="tidemark-frames-"))
    server = Server(Path(options.binary).resolve(), directory / "data", directory / "server.log")
    server.arguments = list(ARGUMENTS)
    workshop = Workshop(directory)
    counts = {}
    passed = 0
    problem = None
    started = time.monotonic()
    try:
        server.start()
        for number in range(first, first + options.seeds):
            seed = Seed(number, server, workshop)
            seed.run()
            passed += 1
            for name, count in seed.counts.items():
                counts[name] = counts.get(name, 0) + count
            if passed % 100 == 0:
                print(f"frame_rounds: {passed} seeds", flush=True)
        server.stop()
    except (Violation, AssertionError, SQLFailure, *NETWORK_ERRORS) as error:
        problem = f"{type(error).__name__}: {error}"
    finally:
        if server.process is not None:
            server.kill()

    turns = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    print(f"frame_rounds: {time.monotonic() - started:.0f} s; {turns}")
    if problem is None:
        shutil.rmtree(directory)
    else:
        print(f"frame_rounds: seed {first + passed}: {problem}")
        print(f"frame_rounds: data and server log are kept in {directory}")
    print(f"frame_rounds: {passed} passed, {0 if problem is None else 1} failed")
    return 0 if problem is None else 1


if __name__ == "__main__":
    sys.exit(main())
