import Foundation
import XCTest

/// SplitMix64: the same numbers for the same seed, on every platform.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }
    mutating func chance(_ oneIn: Int) -> Bool { number(1...oneIn) == 1 }
}

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
func forEachSeed(
    count: Int = 100, file: StaticString = #filePath, line: UInt = #line,
    _ body: (inout SeededGenerator) throws -> Void
) {
    let environment = ProcessInfo.processInfo.environment
    var seeds = 1...UInt64(environment["TIDEMARK_SEEDS"].flatMap(Int.init) ?? count)
    if let seed = environment["TIDEMARK_SEED"].flatMap(UInt64.init) { seeds = seed...seed }
    for seed in seeds {
        var generator = SeededGenerator(seed: seed)
        do { try body(&generator) } catch {
            XCTFail("TIDEMARK_SEED=\(seed): \(error)", file: file, line: line)
            return
        }
    }
}
