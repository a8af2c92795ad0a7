package import HTTP

/// A client that sends the same pull again and again, and looks at every page of the answers.
package final class CheckedPullSession: ClientSession {
    private let request: [UInt8]
    private let database: Int
    private let isWhole: Bool
    private let sums: PageSums
    private var check: PullCheck

    package init(request: [UInt8], database: Int, isWhole: Bool, sums: PageSums) {
        self.request = request
        self.database = database
        self.isWhole = isWhole
        self.sums = sums
        check = PullCheck(isWhole: isWhole)
    }

    package func nextRequest() -> [UInt8] {
        check = PullCheck(isWhole: isWhole)
        return request
    }

    package func receive(_ body: Span<UInt8>) { check.receive(body) }

    package func finish(_ head: HTTPResponseHead) -> SessionVerdict {
        switch check.finish() {
        case .failure(let failure): return .failed(failure.text)
        case .success(let answer):
            let key = PageSums.Key(database: database, revision: answer.revision)
            return sums.note(answer.sum, key)
                ? .completed(kind: 0) : .failed("two answers at one revision differ")
        }
    }
}
