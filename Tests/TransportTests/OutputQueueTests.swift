import Glibc
import XCTest

@testable import Transport

final class OutputQueueTests: XCTestCase {
    private func front(of queue: OutputQueue) -> [UInt8] {
        queue.withPieces { pieces in
            pieces.flatMap { Array(UnsafeRawBufferPointer(start: $0.iov_base, count: $0.iov_len)) }
        }
    }

    func testBytesLeaveInOrderWhateverIsTakenAtATime() {
        let seed = Int.random(in: 0..<Int.max)
        print("output queue seed: \(seed)")
        srand48(seed)
        var queue = OutputQueue()
        var expected: [UInt8] = []
        var next: UInt8 = 0
        for _ in 0..<3000 {
            if drand48() < 0.5 {
                let count = Int(drand48() * (drand48() < 0.1 ? 9000 : 40))
                let bytes = (0..<count).map { _ -> UInt8 in
                    next &+= 1
                    return next
                }
                queue.append(bytes)
                expected += bytes
            } else if !queue.isEmpty {
                let ready = front(of: queue)
                XCTAssertEqual(ready, Array(expected.prefix(ready.count)), "seed \(seed)")
                XCTAssertGreaterThan(ready.count, 0)
                let taken = 1 + Int(drand48() * Double(ready.count - 1))
                queue.consume(taken)
                expected.removeFirst(taken)
            }
            XCTAssertEqual(queue.count, expected.count, "seed \(seed)")
        }
    }

    func testLargePiecesAreNotCopied() {
        var queue = OutputQueue()
        let large = [UInt8](repeating: 1, count: 100_000)
        let address = large.withUnsafeBytes { $0.baseAddress }
        queue.append([1, 2, 3])
        queue.append(large)
        queue.withPieces { pieces in
            XCTAssertEqual(pieces.count, 2)
            XCTAssertEqual(UnsafeRawPointer(pieces[1].iov_base), address)
        }
    }

    func testSmallPiecesAreJoined() {
        var queue = OutputQueue()
        for _ in 0..<10 { queue.append([UInt8](repeating: 0, count: 100)) }
        queue.withPieces { XCTAssertEqual($0.count, 1) }
    }
}
