"""One database of the frame rounds: what its clients, its SQL and its operator do, and what the
model of the protocol says to each answer. Standard library only."""

import http.client
import json
import threading

from clients import UPSERT_CHANGE, Image, Pusher, Violation
from frame_clients import (
    PAGE_SIZE,
    Client,
    Model,
    apply_frames,
    decode_frames,
    differing,
    encode_frames,
    inspect,
)
from wire import Peer, PullRequest, statement

CLIENTS = 3
CHECKPOINT_NEEDED = 25
ROLL = 120
BATCH_FRAMES = (1, 2, 3, 7, 128)
ARGUMENTS = (
    f"--checkpoint-needed-pages={CHECKPOINT_NEEDED}",
    f"--generation-roll-pages={ROLL}",
    "--generation-quiet-time=0s",
    "--min-checkpoint-page-count=20",
    "--frame-answer-pages=16",
    # Of ended generations, some are kept and some are not.
    "--history-quota=400KiB",
)
NETWORK_ERRORS = (OSError, http.client.HTTPException)
LONGEST_REQUEST = 0.004  # In seconds: about then SIGKILL comes within a request.


class FrameDatabase:
    """One database with its clients, its operator and its model.

    `world` stops and starts the server, for all databases: see `frame_rounds.Seed`.
    """

    def __init__(self, name, source, world):
        self.random = source
        self.world = world
        self.server = world.server
        self.workshop = world.workshop
        self.name = name
        self.clients = [Client(f"client{index}") for index in range(CLIENTS)]
        self.rows = 0
        self.acknowledged = set()  # Rows that SQL has to find at the end.
        self.peer = Peer(f"{self.server.url}/db/{name}", timeout=30.0)
        self.admin("create")
        self.peer.sql("CREATE TABLE log(row INTEGER PRIMARY KEY, filler)")
        self.peer.sql("CREATE TABLE churn(id INTEGER PRIMARY KEY, filler)")
        self.pusher = VersionOnePusher(self)
        self.replica = Image()
        self.model = Model(self.fetch_image(), CHECKPOINT_NEEDED, ROLL)
        self.turns = (
            (self.write_locally, 10),
            (self.push, 24),
            (self.push_with_losses, 3),
            (self.pull, 14),
            (self.pull_version_1, 3),
            (self.push_version_1, 2),
            (self.write_by_sql, 4),
            (self.change_nothing, 1),
            (self.forge, 3),
            (self.probe, 3),
            (self.pull_beside, 4),
            (self.checkpoint, 3),
            (self.end_generation, 1),
            (self.restart_client, 1),
            (self.break_off, 4),
            (self.bootstrap, 1),
            (self.restart_server, 1),
            (self.kill_within_push, 1),
            (self.kill_within_sql, 1),
        )

    def take_turn(self):
        """Returns the name of what was done."""
        turns, weights = zip(*self.turns)
        turn = self.random.choices(turns, weights)[0]
        turn()
        return turn.__name__

    def delete(self):
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

    def get(self, generation, start, peer=None):
        """(status, body) of a pull."""
        path = f"/sync/{generation}/{start}/{start + 128}"
        status, _, body = (peer or self.peer).request("GET", path)
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
        self.check(may_be_nothing or learned, "a commit made no frames")
        self.model.append(learned)
        self.model.reach_end(self.model.generation, self.model.newest + 1)
        self.check_end(status, body)
        self.compare_image()

    def check_end(self, status, body):
        expected = {
            "baton": None,
            "status": "checkpoint_needed",
            "generation": self.model.generation,
            "max_frame_no": self.model.newest,
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
        if expected == "gap" or (expected != "overtaken" and self.is_resend(start, answer)):
            self.check_resend(client, start, answer)
            effect = None
        else:
            status = "conflict" if expected == "overtaken" else expected
            self.check(
                answer["status"] == status and newest in (None, answer["max_frame_no"]),
                f"{client.name} pushed {client.generation}/{start}+{len(frames)} to "
                f"{self.model.generation}/{self.model.newest}: {answer}, not {expected} {newest}",
            )
        if answer["baton"] is None:
            # Nothing was taken, and what was staged for the push is of no use any more.
            self.model.staged.pop(baton, None)
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
        if self.random.random() < 0.5:
            # One that is none, or is another database's.
            baton = self.random.choice(["0123456789abcdef", *self.world.batons(without=self)])
        self.send(client, start, frames, baton)
        if self.random.random() < 0.5:
            client.restart()
        elif self.random.random() < 0.5:
            client.end_push()

    def break_off(self):
        """A push ends in its middle; its client counts what was staged as pushed."""
        begun = [client for client in self.clients if client.baton and client.has_unpushed]
        if begun:
            self.random.choice(begun).end_push()

    def restart_client(self):
        self.random.choice(self.clients).restart()

    def pull(self):
        """One request of a client that has nothing to push."""
        client = self.ready_client()
        if client.has_unpushed:
            return
        start = client.confirmed + 1
        status, body = self.get(client.generation, start)
        self.check_pull(client.generation, start, status, body, is_client=True)
        if status == 200:
            client.pull(decode_frames(body))
        elif json.loads(body)["generation"] > client.generation:
            client.move_on()
        elif self.model.newest == start - 1:
            different = differing(client.image, self.model.image)
            self.check(not different, f"{client.name}: pages {different[:10]} are not the server's")

    def check_frames(self, generation, start, frames):
        model = self.model
        stored = model.frames[generation]
        end = start - 1 + len(frames)
        self.check(frames[-1][1] > 0, f"{generation}/{start}: no commit at the end")
        if frames == stored[start - 1 : end]:
            return
        # One transaction in place of frames that are not kept, for whoever has any state of then.
        self.check(generation < model.generation - 1, f"{generation}/{start}: other frames")
        self.check(not any(size for _, size, _ in frames[:-1]), "more than one transaction")
        self.check(end >= len(stored), f"{generation}/{start}: ends with {end}")
        image = apply_frames(model.bases[generation], stored[: start - 1] + frames)
        different = differing(image, model.bases[model.generation])
        self.check(not different, f"{generation}/{start}: not the base in pages {different[:10]}")

    def check_pull(self, generation, start, status, body, is_client=False):
        """`is_client`: the server told somebody of the frames before."""
        model = self.model
        if generation > model.generation:
            return self.check(status == 410, f"{status} for generation {generation}")
        stored = model.frames[generation]
        if start <= len(stored):
            self.check(status == 200, f"{status} {body[:200]!r} for {generation}/{start}")
            self.check_frames(generation, start, decode_frames(body))
            return None
        model.reach_end(generation, start)
        if self.is_known_end(generation, start):
            self.check_end(status, body)
        elif generation >= model.generation - 1:
            self.check(status == 410, f"{status} {body[:200]!r} for a client that is ahead")
        elif is_client:
            self.check_end(status, body)
        else:
            self.check(status in (400, 410), f"{status} behind the end of an old generation")
        return None

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
        if status == 200 and generation <= self.model.generation:
            frames = decode_frames(body)
            image = apply_frames(self.model.bases[generation], stored[: start - 1] + frames)
            inspect(image, "SELECT count(*) FROM log")

    def pull_beside(self):
        """Frames that are there are pulled while something else is done."""
        model = self.model
        if model.generation == 0 or model.newest == 0:
            return
        generation = model.generation
        starts = [self.random.randint(1, model.newest) for _ in range(6)]
        answers = []

        def pull():
            peer = Peer(f"{self.server.url}/db/{self.name}", timeout=30.0)
            answers.extend((start, *self.get(generation, start, peer)) for start in starts)

        thread = threading.Thread(target=pull)
        thread.start()
        try:
            self.random.choice((self.push, self.write_by_sql, self.checkpoint))()
        finally:
            thread.join(60)
        self.check(len(answers) == len(starts), "a pull got no answer")
        for start, status, body in answers:
            self.check_pull(generation, start, status, body)

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

    def pull_version_1(self):
        """An incremental pull of pages brings what the frames lead to."""
        answer = self.peer.pull(PullRequest(client_revision=self.replica.revision))
        self.replica.apply(answer)
        pages = [self.replica.pages[page_id] for page_id in range(answer.db_size)]
        different = differing(pages, self.model.image)
        self.check(not different, f"version 1 pulled other pages: {different[:10]}")

    def push_version_1(self):
        self.pusher.push(self.peer)
        self.acknowledged.add(self.rows)
        self.learn()

    def change_nothing(self):
        """Commits without a change and transactions that are rolled back make no frames."""
        before = (self.model.generation, self.model.generation and self.model.newest)
        if before[1] >= ROLL:
            return
        self.peer.sql("DELETE FROM log WHERE row < 0")
        big = "INSERT INTO churn(filler) SELECT randomblob(900) FROM generate_series(1, 3000)"
        self.peer.pipeline([{"type": "sequence", "sql": f"BEGIN; {big}; ROLLBACK"}])
        self.learn()
        after = (self.model.generation, self.model.generation and self.model.newest)
        self.check(before == after, "frames of nothing")

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
        self.world.restart(is_killed=self.random.random() < 0.5)

    def came_back(self):
        """The server was restarted: all is as it was, but for what was staged."""
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
        self.world.came_back(without=self)
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
        else:
            self.model.reach_end(self.model.generation, self.model.newest + 1)
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
            self.check_pull(client.generation, start, status, body, is_client=True)
            if status == 200:
                client.pull(decode_frames(body))
            elif client.generation < self.model.generation:
                client.move_on()
            else:
                break
        different = differing(client.image, self.model.image)
        self.check(not different, f"{client.name}: pages {different[:10]} are not the server's")


class VersionOnePusher(Pusher):
    """Pushes rows of a frame database as clients of version 1 do."""

    def __init__(self, database):
        super().__init__("version1", 0)
        self.random = database.random
        self.database = database

    def make_batch(self):
        first = self.acknowledged + 1
        statements = [statement(*row, want_rows=False) for row in self.database.insert(1)]
        statements.append(statement(UPSERT_CHANGE, (self.name, 0, first), want_rows=False))
        return first, first, statements
