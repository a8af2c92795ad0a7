internal import Primitives

/// The file of a `Meta`: two slots that are written in turn, so that a torn write leaves the
/// other one. The owner is the database's writer lane.
final class MetaFile: @unchecked Sendable {
    // @unchecked: used by one job at a time, on the database's writer lane.

    private let file: File
    private var sequence: UInt64
    private(set) var meta: Meta

    /// Reads the newest whole slot.
    init(path: String) throws(StorageError) {
        file = try File(path: path, mode: .readWrite)
        // A process that was killed may have left a slot that is not durable yet, and `update`
        // writes nothing while nothing changes.
        try file.synchronize(for: .foundMeta)
        let bytes = try file.readAll()
        let slots = [bytes.prefix(Meta.slotSize), bytes.dropFirst(Meta.slotSize)]
        guard let newest = slots.compactMap(Meta.decode).max(by: { $0.sequence < $1.sequence })
        else {
            throw .corruptFile(path: path, reason: "neither of its two slots is whole")
        }
        (meta, sequence) = newest
    }

    /// Makes a new file in a folder that is not visible yet; the caller syncs the folder.
    static func create(path: String, meta: Meta) throws(StorageError) {
        let file = try File(path: path, mode: .create)
        try file.write(
            meta.encoded(sequence: 1), at: Int64(Meta.slotSize), for: .newMeta)
        try file.synchronize(for: .newMeta)
    }

    /// Durable when it returns. After an error the old and the new value are both possible.
    func update(
        for purpose: FilePurpose, _ change: (inout Meta) -> Void
    ) throws(StorageError) {
        var next = meta
        change(&next)
        guard next != meta else { return }
        let slot = Int64(sequence + 1) % 2 * Int64(Meta.slotSize)
        try file.write(next.encoded(sequence: sequence + 1), at: slot, for: purpose)
        try file.synchronize(for: purpose)
        sequence += 1
        meta = next
    }
}
