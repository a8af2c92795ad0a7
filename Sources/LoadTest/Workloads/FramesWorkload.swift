internal import HTTP

/// Frame sync, in one direction.
enum FramesWorkload {
    /// Of the WAL, as frames travel: a header of 24 bytes, and a page.
    static let frameSize = 4120
    /// Frames that the clients put into one request.
    static let framesPerRequest = 128

    static func make(_ settings: BenchSettings) throws(BenchError) -> any Workload {
        switch settings.direction {
        case .pull: return FramePullWorkload(settings)
        case .push:
            guard settings.clients == settings.databases else {
                throw .usage("frames --direction push needs as many --databases as --clients")
            }
            return FramePushWorkload(settings)
        }
    }

    /// The current generation; the first question for it begins frame sync.
    static func generation(of database: BenchDatabase) throws(BenchError) -> Int {
        let target = database.target
        let reply = try database.control.send(
            RequestBytes.make("GET", target, "/info"), to: target)
        guard reply.status == 200, let answer = FrameAnswer(reply.body),
            let generation = answer.currentGeneration
        else {
            throw .server("\(target.optionText)/info answers \(reply.status): \(reply.text)")
        }
        return generation
    }
}

/// Clients that pull the frames of the same commits again and again.
final class FramePullWorkload: Workload {
    let kinds = ["frame-pull"]
    private let settings: BenchSettings

    init(_ settings: BenchSettings) { self.settings = settings }

    func prepare(_ databases: [BenchDatabase]) throws(BenchError) {
        let shape = settings.tableShape
        for database in databases {
            try BenchTable.prepare(database, rows: shape.rows, rowSize: shape.rowSize)
            _ = try FramesWorkload.generation(of: database)
            for commit in 0..<settings.behind {
                try database.sql([
                    "UPDATE \(BenchTable.name) SET v = hex(randomblob(length(v) / 2)) "
                        + "WHERE id = \(commit * 7919 % max(1, shape.rows) + 1)"
                ])
            }
        }
    }

    func makeSession(client: Int, database: BenchDatabase) -> any ClientSession {
        FramePullSession(target: database.target)
    }
}

/// Asks for the generation once, and then for its first frames.
final class FramePullSession: ClientSession {
    private let target: TargetURL
    private var request: [UInt8]?
    private var answer: [UInt8] = []
    private var size = 0

    init(target: TargetURL) { self.target = target }

    func nextRequest() -> [UInt8] {
        size = 0
        answer = []
        return request ?? RequestBytes.make("GET", target, "/info")
    }

    func receive(_ body: Span<UInt8>) {
        size += body.count
        guard request == nil, answer.count < 1024 else { return }
        for index in 0..<min(body.count, 1024) { answer.append(body[index]) }
    }

    func finish(_ head: HTTPResponseHead) -> SessionVerdict {
        guard request == nil else {
            guard size > 0, size % FramesWorkload.frameSize == 0 else {
                return .failed("\(size) bytes are no frames")
            }
            return .completed(kind: 0)
        }
        guard let generation = FrameAnswer(answer)?.currentGeneration else {
            return .failed("no generation in the answer of /info")
        }
        let end = 1 + FramesWorkload.framesPerRequest
        request = RequestBytes.make("GET", target, "/sync/\(generation)/1/\(end)")
        return .continues
    }
}
