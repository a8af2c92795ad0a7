/// Makes a response body piece by piece. All calls come from worker threads, one at a time.
package protocol HTTPBodySource: AnyObject, Sendable {
    /// The next piece, at most about `maximumBytes` long and never empty; nil at the end.
    ///
    /// An `HTTPRefusal` thrown before the first piece is answered in place of the body.
    func nextChunk(maximumBytes: Int) throws -> [UInt8]?
    /// Called exactly once, as the last call: after the end, after an error, or when the client
    /// is gone.
    func close()
}
