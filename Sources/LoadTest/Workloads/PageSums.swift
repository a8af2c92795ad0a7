internal import Synchronization
internal import WireProtocol

/// What answers of pulls held, by revision: two answers to the same question at the same revision
/// must be the same.
package final class PageSums: Sendable {
    package struct Key: Hashable, Sendable {
        let database: Int
        let revision: String
    }

    private struct State {
        var sums: [Key: UInt64] = [:]
        var count = 0
    }

    private let state = Mutex(State())

    package init() {}

    /// Answers that were noted.
    package var count: Int { state.withLock { $0.count } }

    /// False if another answer held something else.
    package func note(_ sum: UInt64, _ key: Key) -> Bool {
        state.withLock { state in
            state.count += 1
            if let known = state.sums[key] { return known == sum }
            // Revisions of partial replicas and of busy databases are all different.
            if state.sums.count > 100_000 { state.sums.removeAll() }
            state.sums[key] = sum
            return true
        }
    }

    /// Pulls everything once more, and compares.
    func checkAgain(_ database: BenchDatabase) throws(BenchError) {
        let check = Mutex(PullCheck(isWhole: true))
        let status = try database.control.stream(
            RequestBytes.pull(database.target, []), to: database.target
        ) { piece in
            check.withLock { $0.receive(piece) }
            return true
        }
        guard status == 200 else {
            throw .server("\(database.target.optionText)/pull-updates answers with \(status)")
        }
        switch check.withLock({ $0.finish() }) {
        case .failure(let error):
            throw .wrongData("\(database.target.optionText): \(error.text)")
        case .success(let answer):
            guard note(answer.sum, Key(database: database.number, revision: answer.revision))
            else {
                throw .wrongData(
                    "\(database.target.optionText): two answers at \(answer.revision) differ")
            }
        }
    }
}

/// Decodes one answer to a pull, and sums its pages up.
package struct PullCheck {
    package struct Failure: Error, Equatable { package let text: String }
    package struct Answer: Equatable { package let revision: String, sum: UInt64, pages: Int }

    private let isWhole: Bool
    private var decoder = PullResponseDecoder()
    private var header: PullResponseHeader?
    private var sum: UInt64 = 0
    private var pageCount = 0
    private var lastPage: UInt32?
    private var failure: Failure?

    /// - Parameter isWhole: the answer must have every page.
    package init(isWhole: Bool) { self.isWhole = isWhole }

    package mutating func receive(_ piece: Span<UInt8>) {
        guard failure == nil else { return }
        do {
            let bytes = unsafe piece.withUnsafeBufferPointer { unsafe Array($0) }
            for message in try decoder.decode(bytes) { note(message) }
        } catch {
            failure = Failure(text: "malformed pull answer: \(error)")
        }
    }

    private mutating func note(_ message: PullResponseDecoder.Message) {
        switch message {
        case .header(let header): self.header = header
        case .page(let id, let bytes):
            if let lastPage, id.rawValue <= lastPage {
                failure = Failure(text: "pages that do not ascend: \(id.rawValue)")
            }
            if let header, UInt64(id.rawValue) >= header.databaseSize {
                failure = Failure(text: "a page beyond the database's size: \(id.rawValue)")
            }
            lastPage = id.rawValue
            pageCount += 1
            sum = Self.add(bytes, to: sum &+ UInt64(id.rawValue) + 1)
        }
    }

    package mutating func finish() -> Result<Answer, Failure> {
        if let failure { return .failure(failure) }
        do throws(PullResponseDecoder.DecodingError) {
            try decoder.finish()
        } catch {
            return .failure(Failure(text: "malformed pull answer: \(error)"))
        }
        guard let header else { return .failure(Failure(text: "a pull answer without header")) }
        // The page of SQLite's lock bytes exists in no answer.
        let lockPage = UInt64(0x4000_0000 / 4096)
        let wanted = header.databaseSize - (header.databaseSize > lockPage ? 1 : 0)
        guard !isWhole || UInt64(pageCount) == wanted || UInt64(pageCount) == header.databaseSize
        else {
            return .failure(
                Failure(text: "\(pageCount) pages of a database with \(header.databaseSize)"))
        }
        return .success(Answer(revision: header.serverRevision, sum: sum, pages: pageCount))
    }

    /// Mixes a page in, eight bytes at a time.
    private static func add(_ page: [UInt8], to sum: UInt64) -> UInt64 {
        var sum = sum
        unsafe page.withUnsafeBytes { bytes in
            for offset in stride(from: 0, to: bytes.count - 7, by: 8) {
                let word = unsafe bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
                sum = (sum ^ word) &* 0x9E37_79B9_7F4A_7C15
                sum ^= sum >> 29
            }
        }
        return sum
    }
}
