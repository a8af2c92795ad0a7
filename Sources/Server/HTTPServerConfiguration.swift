package import HTTP

/// Limits and time-outs of an `HTTPServer`.
package struct HTTPServerConfiguration: Sendable {
    /// Threads that serve sockets. One a core is enough, because none of them ever blocks.
    package var loopCount = 2
    /// Open connections of one listener. Above it, new ones wait in the kernel's backlog, and
    /// answers close their connection so that those who wait get a turn.
    package var maximumConnections = 4096
    package var parserLimits = HTTPParserLimits()
    /// How much of a body that nobody wants is read so that the connection stays usable, in bytes.
    package var discardedBodyBytes = 64 * 1024

    /// Between two requests.
    package var idleTimeout = Duration.seconds(75)
    /// From the first byte of a request to the end of its head.
    package var headTimeout = Duration.seconds(10)
    /// Without a byte of a body that is awaited.
    package var bodyTimeout = Duration.seconds(30)
    /// Without a byte taken by a client that has bytes to read.
    package var writeTimeout = Duration.seconds(60)
    /// After the last answer, for a client to read it before the connection is gone.
    package var lingerTimeout = Duration.seconds(5)

    /// What a body source is asked for at a time, in bytes.
    package var chunkSize = 256 * 1024
    /// The next piece is made when fewer bytes than this wait for the client; a connection never
    /// holds more than this and one piece.
    package var lowWaterMark = 64 * 1024
    /// The same with parts of files, which hold no memory, in bytes.
    package var regionLowWaterMark = 8 << 20
    /// What one connection may send before it is another's turn, about, in bytes.
    package var sendLimit = 4 << 20
    /// What a body sink is given at a time, about, in bytes.
    package var uploadPieceSize = 256 * 1024

    package init() {}
}
