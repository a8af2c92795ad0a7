/// Makes a response body piece by piece. All calls come from worker threads, one at a time.
package protocol HTTPBodySource: AnyObject, Sendable {
    /// The next piece; never empty, nil at the end. Bytes in memory are at most about
    /// `maximumBytes` long; regions of files may be longer.
    ///
    /// - Throws: whatever keeps it from being made, which cuts the answer. Before the first piece
    ///   an `HTTPRefusal` is answered instead, anything else with 500.
    func nextChunk(maximumBytes: Int) throws -> HTTPBodyPiece?
    /// Called exactly once, as the last call: after the end, after an error, or when the client
    /// is gone.
    func close()
}
