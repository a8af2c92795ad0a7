internal import Glibc

/// An open file descriptor, closed with its last reference.
package final class OpenDescriptor: Sendable {
    package let number: Int32

    package init(_ number: Int32) { self.number = number }

    deinit { close(number) }
}

/// A run of bytes of a file that do not change any more, to be sent from where they are. The file
/// stays open for as long as somebody holds one.
package struct FileRegion: Sendable {
    package let descriptor: OpenDescriptor
    /// Of the first byte, in bytes.
    package let offset: Int64
    /// In bytes; more than 0.
    package let count: Int
    /// Held until the bytes are sent.
    private let owner: (any AnyObject & Sendable)?

    package init(
        descriptor: OpenDescriptor, offset: Int64, count: Int,
        owner: (any AnyObject & Sendable)? = nil
    ) {
        precondition(count > 0 && offset >= 0)
        self.descriptor = descriptor
        self.offset = offset
        self.count = count
        self.owner = owner
    }
}
