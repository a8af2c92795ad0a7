/// Frames of one generation as a URL of frame sync names them: `/{generation}/{start}/{end}`.
///
/// Invariant: `generation >= 1` and `1 <= start < end`; `end` is exclusive.
package struct FrameRange: Equatable, Sendable {
    package let generation: UInt32
    package let start: UInt32
    package let end: UInt32

    /// Nil if there are no such frames.
    package init?(generation: UInt32, start: UInt32, end: UInt32) {
        guard generation >= 1, start >= 1, start < end else { return nil }
        self.generation = generation
        self.start = start
        self.end = end
    }

    /// Reads three parts of a path.
    package init?(
        generation: some StringProtocol, start: some StringProtocol, end: some StringProtocol
    ) {
        guard let generation = Self.number(generation), let start = Self.number(start),
            let end = Self.number(end)
        else { return nil }
        self.init(generation: generation, start: start, end: end)
    }

    package var last: UInt32 { end - 1 }
    package var count: Int { Int(end - start) }

    /// Decimal digits and nothing else, no sign among them; nil beyond 32 bits.
    package static func number(_ text: some StringProtocol) -> UInt32? {
        guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { return nil }
        return UInt32(text)
    }
}
