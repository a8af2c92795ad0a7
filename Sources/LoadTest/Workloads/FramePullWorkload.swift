internal import HTTP
internal import Synchronization

/// Clients that pull the frames of the same commits again and again.
final class FramePullWorkload: Workload {
    let kinds = ["frame-pull"]
    private let settings: BenchSettings
    private let generations = Mutex<[Int]>([])

    init(_ settings: BenchSettings) { self.settings = settings }

    func prepare(_ databases: [BenchDatabase]) throws(BenchError) {
        let shape = settings.tableShape
        for database in databases {
            try BenchTable.prepare(database, rows: shape.rows, rowSize: shape.rowSize)
            let generation = try FramesWorkload.generation(of: database)
            generations.withLock { $0.append(generation) }
            for commit in 0..<settings.behind {
                try database.sql([
                    "UPDATE \(BenchTable.name) SET v = hex(randomblob(length(v) / 2)) "
                        + "WHERE id = \(commit * 7919 % max(1, shape.rows) + 1)"
                ])
            }
        }
    }

    func makeSession(client: Int, database: BenchDatabase) -> any ClientSession {
        FramePullSession(
            target: database.target,
            generation: generations.withLock { $0[database.number] })
    }
}

/// Asks for the first frames of a generation.
final class FramePullSession: ClientSession {
    private let request: [UInt8]
    private var size = 0

    init(target: TargetURL, generation: Int) {
        let end = 1 + FramesWorkload.framesPerRequest
        request = RequestBytes.make("GET", target, "/sync/\(generation)/1/\(end)")
    }

    func nextRequest() -> [UInt8] {
        size = 0
        return request
    }

    func receive(_ body: Span<UInt8>) { size += body.count }

    func finish(_ head: HTTPResponseHead) -> SessionVerdict {
        guard size > 0, size % FramesWorkload.frameSize == 0 else {
            return .failed("\(size) bytes are no frames")
        }
        return .completed(kind: 0)
    }
}
