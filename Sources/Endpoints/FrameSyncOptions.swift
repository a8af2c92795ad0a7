package import Replication

/// What an operator can set about frame sync.
package struct FrameSyncOptions: Sendable {
    package var limits = FramePushLimits()
    /// Frames of a generation from which it may end by itself; 0 for never.
    package var rollFrameCount = 16_384
    /// Without a push for so long it may end by itself.
    package var quietTime = Duration.seconds(60)
    /// A push that is not continued ends.
    package var pushTimeout = Duration.seconds(60)
    /// Bytes of frames of unfinished transactions, of all databases.
    package var stagingSize = 256 << 20
    /// About how many frames one answer has; at least 1. It ends with a commit.
    package var answerFrameCount = 4096

    package init() {}
}
