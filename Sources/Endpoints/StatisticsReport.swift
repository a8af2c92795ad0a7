internal import Primitives
package import Storage
internal import WireProtocol

/// `GET /v1/namespaces/{name}/stats`, and what `tidemark db stats` shows: docs/protocol.md, "Admin
/// API". The names of its JSON keys are stable.
package struct StatisticsReport: Equatable, Sendable, Decodable {
    /// How a database's newest checkpoint ended.
    package struct Checkpoint: Equatable, Sendable, Decodable {
        /// As in `PRAGMA wal_checkpoint(MODE)`, in lower case.
        package var mode: String
        package var result: String
        /// SQLite's three numbers; nil if the checkpoint failed. `log` and `checkpointed` count
        /// frames.
        package var busy: Int?
        package var log: Int?
        package var checkpointed: Int?
        /// RFC 3339, in UTC.
        package var time: String

        package init(
            mode: String, result: String, busy: Int?, log: Int?, checkpointed: Int?, time: String
        ) {
            self.mode = mode
            self.result = result
            self.busy = busy
            self.log = log
            self.checkpointed = checkpointed
            self.time = time
        }
    }

    package var revision: String
    /// Nil while the database takes no part in frame sync.
    package var generation: UInt64?
    /// The size of the database, in pages.
    package var pages: Int64
    /// Frames that are not yet in the main file.
    package var walPages: Int64
    package var walBytes: Int64
    package var mainBytes: Int64
    package var historyBytes: Int64
    /// Frames kept for frame sync, outside of the WAL.
    package var frameBytes: Int64
    /// Encoded pages that are kept to be sent again.
    package var cacheBytes: Int64
    package var pins: Int64
    /// Since the database was opened.
    package var droppedPins: Int64
    package var rejectedChanges: Int64
    package var lastCheckpoint: Checkpoint?
    /// Of HTTP bodies on the sync listener, since the server started.
    package var bytesSent: Int64
    package var bytesReceived: Int64
    /// Held now.
    package var longPolls: Int64
    /// Of SQL, that go on over several requests.
    package var openStreams: Int64

    private enum CodingKeys: String, CodingKey {
        case revision, generation, pages, pins
        case walPages = "wal_pages"
        case walBytes = "wal_bytes"
        case mainBytes = "main_bytes"
        case historyBytes = "history_bytes"
        case droppedPins = "dropped_pins"
        case cacheBytes = "cache_bytes"
        case frameBytes = "frame_bytes"
        case rejectedChanges = "rejected_changes"
        case lastCheckpoint = "last_checkpoint"
        case bytesSent = "bytes_sent"
        case bytesReceived = "bytes_received"
        case longPolls = "long_polls"
        case openStreams = "open_streams"
    }
}

extension StatisticsReport {
    /// - Parameter openStreams: 0 where no server runs.
    package init(_ lease: DatabaseLease, openStreams: Int) throws(StorageError) {
        let statistics = try lease.database.statistics()
        self.init(
            revision: statistics.revision.wire,
            generation: statistics.generation.map { UInt64($0) },
            pages: Int64(statistics.databaseSize), walPages: Int64(statistics.walFrameCount),
            walBytes: statistics.walBytes, mainBytes: statistics.mainBytes,
            historyBytes: statistics.historyBytes, frameBytes: statistics.frameBytes,
            cacheBytes: statistics.cacheBytes,
            pins: Int64(statistics.pinCount),
            droppedPins: Int64(statistics.droppedPinCount),
            rejectedChanges: Int64(statistics.rejectedChangeCount),
            lastCheckpoint: statistics.lastCheckpoint.map { Checkpoint($0) },
            bytesSent: lease.traffic.sentBytes, bytesReceived: lease.traffic.receivedBytes,
            longPolls: Int64(statistics.waiterCount), openStreams: Int64(openStreams))
    }

    /// One JSON object, without a line's end.
    package var json: [UInt8] {
        var json = JSONWriter()
        json.beginObject()
        json.key("revision")
        json.string(revision)
        json.member("generation", generation)
        json.member("pages", pages)
        json.member("wal_pages", walPages)
        json.member("wal_bytes", walBytes)
        json.member("main_bytes", mainBytes)
        json.member("history_bytes", historyBytes)
        json.member("frame_bytes", frameBytes)
        json.member("cache_bytes", cacheBytes)
        json.member("pins", pins)
        json.member("dropped_pins", droppedPins)
        json.member("rejected_changes", rejectedChanges)
        json.key("last_checkpoint")
        if let lastCheckpoint { lastCheckpoint.write(to: &json) } else { json.null() }
        json.member("bytes_sent", bytesSent)
        json.member("bytes_received", bytesReceived)
        json.member("long_polls", longPolls)
        json.member("open_streams", openStreams)
        json.endObject()
        return json.bytes
    }
}

extension StatisticsReport.Checkpoint {
    fileprivate init(_ record: CheckpointRecord) {
        self.init(
            mode: record.mode.rawValue, result: record.outcome.rawValue,
            busy: record.result.map { $0.isBusy ? 1 : 0 }, log: record.result?.walFrameCount,
            checkpointed: record.result?.checkpointedFrameCount, time: record.time)
    }

    fileprivate func write(to json: inout JSONWriter) {
        json.beginObject()
        json.key("mode")
        json.string(mode)
        json.key("result")
        json.string(result)
        json.member("busy", busy)
        json.member("log", log)
        json.member("checkpointed", checkpointed)
        json.key("time")
        json.string(time)
        json.endObject()
    }
}

extension JSONWriter {
    /// Nil becomes null.
    fileprivate mutating func member(_ name: StaticString, _ value: (some BinaryInteger)?) {
        key(name)
        if let value { integer(value) } else { null() }
    }
}
