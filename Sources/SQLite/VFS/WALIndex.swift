internal import Glibc

/// Reads and writes SQLite's wal-index as SQLite does: the part of it that a commit touches.
///
/// Format: https://www.sqlite.org/walformat.html, section 2. Words are in the machine's byte order,
/// salts as the bytes that are in the WAL. Used under SQLite's write lock, except for `header`.
@safe struct WALIndex {
    /// What a connection must see of the WAL to read it; both copies of the header hold it.
    struct Header: Equatable {
        var changeCounter: UInt32
        var usesBigEndianChecksums: Bool
        /// The newest committed frame; 0 while there is none.
        var lastFrame: UInt32
        /// In pages.
        var databaseSize: UInt32
        /// The running checksum up to `lastFrame`, or of the WAL's header.
        var frameChecksum: (UInt32, UInt32)
        /// As big-endian numbers, as they are printed in documents.
        var salts: (UInt32, UInt32)

        static func == (left: Header, right: Header) -> Bool {
            left.changeCounter == right.changeCounter && left.lastFrame == right.lastFrame
                && left.databaseSize == right.databaseSize
                && left.frameChecksum == right.frameChecksum && left.salts == right.salts
                && left.usesBigEndianChecksums == right.usesBigEndianChecksums
        }
    }

    private static let headerSize = 48
    private static let infoOffset = 96
    /// Bytes before the first region's page numbers.
    private static let prefixSize = 136
    private static let slotsPerRegion = 8192
    private static let framesPerRegion = 4096
    private static let framesInFirstRegion = framesPerRegion - prefixSize / 4
    private static let formatVersion: UInt32 = 3_007_000
    private static let unusedMark: UInt32 = 0xFFFF_FFFF

    /// Gives the address of a region, which it makes if need be.
    private let region: (Int) -> UnsafeMutableRawPointer

    init(region: @escaping (Int) -> UnsafeMutableRawPointer) { unsafe self.region = region }

    // MARK: the header

    /// Nil before a connection has read the WAL, or while one writes the header.
    var header: Header? {
        let base = unsafe region(0)
        guard unsafe memcmp(base, base + Self.headerSize, Self.headerSize) == 0,
            unsafe base.load(fromByteOffset: 12, as: UInt8.self) != 0,
            unsafe base.load(fromByteOffset: 0, as: UInt32.self) == Self.formatVersion
        else { return nil }
        func word(_ offset: Int) -> UInt32 {
            unsafe base.load(fromByteOffset: offset, as: UInt32.self)
        }
        let expected = unsafe Self.checksum(base, byteCount: 40)
        guard expected == (word(40), word(44)) else { return nil }
        return Header(
            changeCounter: word(8),
            usesBigEndianChecksums: unsafe base.load(fromByteOffset: 13, as: UInt8.self) != 0,
            lastFrame: word(16), databaseSize: word(20), frameChecksum: (word(24), word(28)),
            salts: (UInt32(bigEndian: word(32)), UInt32(bigEndian: word(36))))
    }

    /// Shows a new state to connections: the second copy first, so that one that reads both sees
    /// them differ and reads again.
    func write(_ header: Header, barrier: () -> Void) {
        let base = unsafe region(0)
        let second = unsafe base + Self.headerSize
        func store(_ word: UInt32, _ offset: Int) {
            unsafe second.storeBytes(of: word, toByteOffset: offset, as: UInt32.self)
        }
        store(Self.formatVersion, 0)
        store(0, 4)
        store(header.changeCounter, 8)
        unsafe second.storeBytes(of: 1, toByteOffset: 12, as: UInt8.self)
        unsafe second.storeBytes(
            of: header.usesBigEndianChecksums ? 1 : 0, toByteOffset: 13, as: UInt8.self)
        unsafe second.storeBytes(of: 4096, toByteOffset: 14, as: UInt16.self)
        store(header.lastFrame, 16)
        store(header.databaseSize, 20)
        store(header.frameChecksum.0, 24)
        store(header.frameChecksum.1, 28)
        store(header.salts.0.bigEndian, 32)
        store(header.salts.1.bigEndian, 36)
        let sum = unsafe Self.checksum(second, byteCount: 40)
        store(sum.0, 40)
        store(sum.1, 44)
        barrier()
        unsafe base.copyMemory(from: second, byteCount: Self.headerSize)
    }

    /// The WAL's checksum in the machine's byte order.
    private static func checksum(
        _ bytes: UnsafeMutableRawPointer, byteCount: Int
    ) -> (UInt32, UInt32) {
        var (first, second): (UInt32, UInt32) = (0, 0)
        for offset in stride(from: 0, to: byteCount, by: 8) {
            first &+= unsafe bytes.load(fromByteOffset: offset, as: UInt32.self) &+ second
            second &+= unsafe bytes.load(fromByteOffset: offset + 4, as: UInt32.self) &+ first
        }
        return (first, second)
    }

    // MARK: checkpoints

    /// Frames that are in the database file.
    var backfilledFrame: UInt32 {
        unsafe region(0).load(fromByteOffset: Self.infoOffset, as: UInt32.self)
    }

    /// What SQLite resets when the WAL starts over; the caller holds all read marks but the first.
    func resetCheckpointInfo() {
        let info = unsafe region(0) + Self.infoOffset
        // Frames backfilled; read marks 0 and 1.
        for offset in [0, 4, 8] {
            unsafe info.storeBytes(of: 0, toByteOffset: offset, as: UInt32.self)
        }
        for offset in [12, 16, 20] {
            unsafe info.storeBytes(of: Self.unusedMark, toByteOffset: offset, as: UInt32.self)
        }
        // Frames whose backfill was tried.
        unsafe info.storeBytes(of: 0, toByteOffset: 32, as: UInt32.self)
    }

    // MARK: frames

    /// Enters a frame; frames are entered in order.
    func append(frame: UInt32, page: UInt32) {
        let place = Self.place(of: frame)
        let (pages, slots) = unsafe tables(place.region)
        if place.index == 0 {
            // The first frame of a region: whatever its last life left is gone.
            let size = place.region == 0 ? Self.framesInFirstRegion : Self.framesPerRegion
            unsafe pages.update(repeating: 0, count: size)
            unsafe slots.update(repeating: 0, count: Self.slotsPerRegion)
        }
        if unsafe pages[place.index] != 0 { removeFrames(after: frame - 1) }
        var slot = Self.slot(of: page)
        while unsafe slots[slot] != 0 { slot = (slot + 1) % Self.slotsPerRegion }
        unsafe pages[place.index] = page
        unsafe slots[slot] = UInt16(place.index + 1)
    }

    /// Removes what a transaction that was rolled back has left in the region of the next frame.
    private func removeFrames(after frame: UInt32) {
        let place = Self.place(of: frame + 1)
        let (pages, slots) = unsafe tables(place.region)
        for slot in 0..<Self.slotsPerRegion where unsafe Int(slots[slot]) > place.index {
            unsafe slots[slot] = 0
        }
        let size = place.region == 0 ? Self.framesInFirstRegion : Self.framesPerRegion
        unsafe (pages + place.index).update(repeating: 0, count: size - place.index)
    }

    /// `index` counts from 0 within the region.
    private static func place(of frame: UInt32) -> (region: Int, index: Int) {
        let number = Int(frame) - 1
        if number < framesInFirstRegion { return (0, number) }
        let rest = number - framesInFirstRegion
        return (1 + rest / framesPerRegion, rest % framesPerRegion)
    }

    private static func slot(of page: UInt32) -> Int { Int(page &* 383) % slotsPerRegion }

    private func tables(
        _ number: Int
    ) -> (pages: UnsafeMutablePointer<UInt32>, slots: UnsafeMutablePointer<UInt16>) {
        let base = unsafe region(number)
        let pages = unsafe base + (number == 0 ? Self.prefixSize : 0)
        return unsafe (
            pages.assumingMemoryBound(to: UInt32.self),
            (base + Self.framesPerRegion * 4).assumingMemoryBound(to: UInt16.self)
        )
    }
}
