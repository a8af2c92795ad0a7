internal import Primitives

/// The entries of the log of generations; layout in docs/storage-format.md, "generations". Pure.
extension GenerationFiles {
    enum EntryKind: UInt8 {
        case begin = 1
        case archived = 2
        case asked = 3
        case past = 4
        case unfinished = 5
    }

    static func body(_ past: [Past]) -> [UInt8] {
        var body: [UInt8] = []
        for generation in past {
            body.append(EntryKind.past.rawValue)
            body.appendLittleEndian(generation.number)
            body.appendLittleEndian(generation.baseCommit.rawValue)
            body.appendLittleEndian(generation.lastFrame)
            body.append(generation.isKept ? 1 : 0)
        }
        return body
    }

    static func body(_ current: Current) -> [UInt8] {
        var body: [UInt8] = [EntryKind.begin.rawValue]
        body.appendLittleEndian(current.number)
        body.appendLittleEndian(current.baseEpoch.rawValue)
        body.appendLittleEndian(current.base.commit.rawValue)
        body.appendLittleEndian(current.base.databaseSize)
        return body
    }

    /// They take the place of those in earlier records.
    static func body(_ unfinished: [UnfinishedFrames]) -> [UInt8] {
        var body: [UInt8] = [EntryKind.unfinished.rawValue]
        body.appendLittleEndian(UInt32(unfinished.count))
        for push in unfinished {
            body.appendLittleEndian(push.generation)
            body.appendLittleEndian(push.frames.lowerBound)
            body.appendLittleEndian(push.frames.upperBound)
        }
        return body
    }

    /// What the records of a log say together, the current generation apart; nil if they make no
    /// sense.
    static func decode(
        _ bodies: [ArraySlice<UInt8>]
    ) -> (Current?, [Past], [UnfinishedFrames])? {
        var current: Current?
        var past: [Past] = []
        var unfinished: [UnfinishedFrames] = []
        for body in bodies {
            var reader = ByteReader(body)
            while reader.remainingCount > 0 {
                guard let byte = reader.readLittleEndian(UInt8.self),
                    let kind = EntryKind(rawValue: byte)
                else { return nil }
                switch kind {
                case .begin:
                    guard let begun = decodeCurrent(&reader) else { return nil }
                    current = begun
                case .past:
                    guard let ended = decodePast(&reader) else { return nil }
                    past.append(ended)
                case .unfinished:
                    guard let noted = decodeUnfinished(&reader) else { return nil }
                    unfinished = noted
                case .asked: current?.hasAskedForCheckpoint = true
                case .archived:
                    guard let ends = decodeEnds(&reader),
                        ends.first ?? .max > current?.archivedEnds.last ?? 0
                    else { return nil }
                    current?.archivedEnds += ends
                }
            }
        }
        return (current, past, unfinished)
    }

    private static func decodeCurrent(_ reader: inout ByteReader) -> Current? {
        guard let number = reader.readLittleEndian(UInt32.self),
            let epoch = reader.readLittleEndian(UInt64.self),
            let commit = reader.readLittleEndian(UInt64.self),
            let databaseSize = reader.readLittleEndian(UInt32.self)
        else { return nil }
        return Current(
            number: number,
            base: .init(commit: CommitNumber(commit), databaseSize: databaseSize),
            baseEpoch: Epoch(epoch))
    }

    private static func decodePast(_ reader: inout ByteReader) -> Past? {
        guard let number = reader.readLittleEndian(UInt32.self),
            let commit = reader.readLittleEndian(UInt64.self),
            let lastFrame = reader.readLittleEndian(UInt32.self),
            let isKept = reader.readLittleEndian(UInt8.self)
        else { return nil }
        return Past(
            number: number, baseCommit: CommitNumber(commit), lastFrame: lastFrame,
            isKept: isKept != 0)
    }

    private static func decodeUnfinished(_ reader: inout ByteReader) -> [UnfinishedFrames]? {
        guard let count = reader.readLittleEndian(UInt32.self),
            Int(count) * 12 <= reader.remainingCount
        else { return nil }
        var unfinished: [UnfinishedFrames] = []
        for _ in 0..<count {
            guard let generation = reader.readLittleEndian(UInt32.self),
                let first = reader.readLittleEndian(UInt32.self),
                let last = reader.readLittleEndian(UInt32.self), first >= 1, first <= last
            else { return nil }
            unfinished.append(UnfinishedFrames(generation: generation, frames: first...last))
        }
        return unfinished
    }

    private static func decodeEnds(_ reader: inout ByteReader) -> [UInt32]? {
        guard let count = reader.readLittleEndian(UInt32.self),
            Int(count) * 4 <= reader.remainingCount
        else { return nil }
        var ends: [UInt32] = []
        ends.reserveCapacity(Int(count))
        for _ in 0..<count {
            guard let end = reader.readLittleEndian(UInt32.self), end > ends.last ?? 0
            else { return nil }
            ends.append(end)
        }
        return ends
    }
}
