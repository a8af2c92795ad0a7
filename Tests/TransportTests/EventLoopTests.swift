import Dispatch
import Synchronization
import XCTest

@testable import Transport

final class EventLoopTests: XCTestCase {
    private func wait(_ semaphore: DispatchSemaphore, line: UInt = #line) {
        XCTAssertEqual(semaphore.wait(timeout: .now() + 20), .success, line: line)
    }

    func testPostedJobsRunInOrderOnTheLoop() throws {
        let loop = try EventLoop()
        loop.start(name: "test")
        let order = Mutex<[Int]>([])
        let done = DispatchSemaphore(value: 0)
        XCTAssertFalse(loop.isCurrent)
        for number in 0..<1000 {
            loop.post {
                XCTAssertTrue(loop.isCurrent)
                order.withLock { $0.append(number) }
                if number == 500 { loop.post { done.signal() } }
            }
        }
        wait(done)
        loop.stop()
        XCTAssertEqual(order.withLock { $0 }, Array(0..<1000))
        XCTAssertFalse(loop.post { XCTFail("the loop has ended") })
    }

    func testTimersFireInOrderAndNotWhenCancelled() throws {
        let loop = try EventLoop()
        loop.start(name: "test")
        let fired = Mutex<[String]>([])
        let done = DispatchSemaphore(value: 0)
        loop.post {
            func note(_ text: String) { fired.withLock { $0.append(text) } }
            let start = loop.now
            let cancelled = loop.schedule(at: start + 1_000_000) { note("cancelled") }
            _ = loop.schedule(at: start + 3_000_000) {
                note("late")
                XCTAssertGreaterThanOrEqual(loop.now, start + 3_000_000)
                done.signal()
            }
            _ = loop.schedule(at: start + 2_000_000) { note("early") }
            _ = loop.schedule(at: start) { note("at once") }
            loop.cancel(cancelled)
            loop.cancel(cancelled)
        }
        wait(done)
        loop.stop()
        XCTAssertEqual(fired.withLock { $0 }, ["at once", "early", "late"])
    }

    func testAddressesAreResolved() throws {
        let any = try SocketAddress.resolve(host: "0.0.0.0", port: 80)
        XCTAssertEqual(any.map(\.description), ["0.0.0.0:80"])
        XCTAssertFalse(any[0].isLoopback)
        for host in ["::1", "[::1]"] {
            let address = try SocketAddress.resolve(host: host, port: 1)
            XCTAssertEqual(address.map(\.description), ["[::1]:1"])
            XCTAssertTrue(address[0].isLoopback)
        }
        let local = try SocketAddress.resolve(host: "localhost", port: 0)
        XCTAssertFalse(local.isEmpty)
        XCTAssertTrue(local.allSatisfy(\.isLoopback))
        XCTAssertThrowsError(try SocketAddress.resolve(host: "not a name", port: 0))
    }
}
