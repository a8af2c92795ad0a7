/// How far a long operation has come.
struct TransferProgress: Equatable, Sendable {
    /// What happens now, for people: "uploading", "checking the file".
    let step: String
    let completedBytes: UInt64
    /// nil where it cannot be known.
    let totalBytes: UInt64?

    /// 0...100; nil where the total is not known. Totals are estimates that may be exceeded.
    var percent: Int? {
        guard let totalBytes, totalBytes > 0 else { return nil }
        return Int(min(Double(completedBytes) / Double(totalBytes), 1) * 100)
    }
}
