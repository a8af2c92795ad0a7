import Glibc
import Primitives
import TestSupport
import XCTest

@testable import Transport

final class OutputQueueTests: XCTestCase {
    private func front(of queue: OutputQueue) -> [UInt8] {
        queue.withPieces { pieces, _ in
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
        queue.withPieces { pieces, _ in
            XCTAssertEqual(pieces.count, 2)
            XCTAssertEqual(UnsafeRawPointer(pieces[1].iov_base), address)
        }
    }

    func testSmallPiecesAreJoined() {
        var queue = OutputQueue()
        for _ in 0..<10 { queue.append([UInt8](repeating: 0, count: 100)) }
        queue.withPieces { pieces, _ in XCTAssertEqual(pieces.count, 1) }
    }

    // MARK: parts of files

    /// A file whose byte at offset n is n.
    private func makeFile(size: Int) -> OpenDescriptor {
        let descriptor = OpenDescriptor(makeUnnamedFile())
        let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0) }
        XCTAssertEqual(pwrite(descriptor.number, bytes, size, 0), size)
        return descriptor
    }

    func testPartsOfFilesKeepTheirPlace() {
        let file = makeFile(size: 5000)
        var queue = OutputQueue()
        queue.append([1, 2, 3])
        queue.append(FileRegion(descriptor: file, offset: 100, count: 1000))
        queue.append([4])
        queue.append([5])
        XCTAssertEqual(queue.count, 1005)
        XCTAssertEqual(queue.memoryCount, 5)
        XCTAssertNil(queue.firstRegion)
        queue.withPieces { pieces, regionFollows in
            XCTAssertEqual(pieces.count, 1)
            XCTAssertTrue(regionFollows)
        }
        queue.consume(3)
        XCTAssertEqual(queue.firstRegion?.sentCount, 0)
        queue.consume(400)
        XCTAssertEqual(queue.firstRegion?.sentCount, 400)
        XCTAssertEqual(queue.firstRegion?.region.offset, 100)
        queue.consume(601)
        XCTAssertEqual(front(of: queue), [5])
        XCTAssertEqual(queue.memoryCount, 1)
        queue.withPieces { _, regionFollows in XCTAssertFalse(regionFollows) }
        queue.consume(1)
        XCTAssertTrue(queue.isEmpty)
        XCTAssertEqual(queue.memoryCount, 0)
    }

    func testAPartOfAFileIsLetGoOfWhenItIsSent() {
        final class Owner: Sendable {}
        var owner: Owner? = Owner()
        weak let watched = owner
        var queue = OutputQueue()
        queue.append(
            FileRegion(descriptor: makeFile(size: 10), offset: 0, count: 10, owner: owner))
        queue.append([1])
        owner = nil
        queue.consume(9)
        XCTAssertNotNil(watched)
        queue.consume(1)
        XCTAssertNil(watched)
    }
}
