/// Makes a response body piece by piece. All calls come from worker threads, one at a time.
package protocol HTTPBodySource: AnyObject, Sendable {
    /// The next piece, at most about `maximumBytes` long and never empty; nil at the end.
    ///
    /// - Throws: whatever keeps it from being made, which cuts the answer. Before the first piece
    ///   an `HTTPRefusal` is answered instead, anything else with 500.
    func nextChunk(maximumBytes: Int) throws -> [UInt8]?
    /// Called exactly once, as the last call: after the end, after an error, or when the client
    /// is gone.
    func close()
}
