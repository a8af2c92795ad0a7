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
