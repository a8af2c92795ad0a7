import Foundation
import TestSupport
import XCTest

/// What a model test found.
struct Mismatch: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

func require(_ condition: Bool, _ message: @autoclosure () -> String) throws {
    if !condition { throw Mismatch(message()) }
}

/// Runs a random test once per seed: 1 to `TIDEMARK_SEEDS` (`count` by default), or
/// `TIDEMARK_SEED` alone. A failure names its seed.
///
/// - Parameter oneIn: for tests that are long: how many of `TIDEMARK_SEEDS` make one of theirs.
func forEachSeed(
    count: Int = 100, oneIn: Int = 1, test: String = #function, file: StaticString = #filePath,
    line: UInt = #line,
    _ body: (inout SeededGenerator) throws -> Void
) {
    let environment = ProcessInfo.processInfo.environment
    let wanted = environment["TIDEMARK_SEEDS"].flatMap(Int.init).map { max(count, $0 / oneIn) }
    var seeds = 1...UInt64(wanted ?? count)
    if let seed = environment["TIDEMARK_SEED"].flatMap(UInt64.init) { seeds = seed...seed }
    for seed in seeds {
        var generator = SeededGenerator(seed: seed)
        do { try body(&generator) } catch {
            XCTFail("TIDEMARK_SEED=\(seed): \(error)", file: file, line: line)
            return
        }
    }
    if wanted != nil { print("\(test): \(seeds.count) seeds") }
}
