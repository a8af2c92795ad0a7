/// What an operator can set about how requests are answered.
package struct EndpointConfiguration: Sendable {
    /// Domains whose first label names a database, without a leading dot.
    package var baseDomains = ["localhost"]
    /// Bytes of a request body, after decompression.
    package var maximumBodySize = 256 << 20
    package var longPollLimit = Duration.seconds(60)
    /// For one statement; nil for no limit.
    package var statementTimeout: Duration? = .seconds(60)
    /// For the query of a bootstrap; the pages found by then are sent.
    package var bootstrapQueryTimeout = Duration.seconds(10)
    /// Pages that are looked for with the query of a bootstrap. At least 1.
    package var bootstrapQueryMaximumPages = 65_536
    /// Bytes of one answer to SQL.
    package var maximumResponseSize = 64 << 20
    /// Of answers and pages that are compressed; 1 (fastest) to 19.
    package var compressionLevel = 3
    package var frameSync = FrameSyncOptions()
    /// Reported by `GET /version`.
    package var version = "0.1.0"

    package init() {}
}
