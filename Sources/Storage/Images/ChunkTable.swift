package import Primitives

/// Which chunks of an image there are, and which states of the database they show. Pure.
///
/// A chunk is a run of `chunkPageCount` pages, the last one of a database shorter. What was made of
/// one is true from the commit that changed one of its pages last, its *version*, until the next
/// commit that does. So a commit makes only those chunks stale that it changed.
package struct ChunkTable<Content> {
    package struct Key: Equatable, Sendable {
        /// From 0.
        package let index: Int
        /// `chunkPageCount`, or fewer at the end of the database.
        package let pageCount: Int
        package let version: CommitNumber

        package init(index: Int, pageCount: Int, version: CommitNumber) {
            self.index = index
            self.pageCount = pageCount
            self.version = version
        }
    }

    private struct Entry {
        let key: Key
        let size: Int
        let content: Content
    }

    private var entries: [Entry?] = []
    /// Bytes of what can still be found.
    package private(set) var liveSize = 0

    package init() {}

    /// What was made of a chunk, if that is what it holds at every commit from `key.version` on.
    package func content(of key: Key) -> Content? {
        guard key.index < entries.count, let entry = entries[key.index], entry.key == key
        else { return nil }
        return entry.content
    }

    /// Takes in what was made of a chunk, in place of what it held at other commits.
    ///
    /// - Parameter size: of the content, in bytes.
    package mutating func insert(_ content: Content, size: Int, for key: Key) {
        while entries.count <= key.index { entries.append(nil) }
        liveSize += size - (entries[key.index]?.size ?? 0)
        entries[key.index] = Entry(key: key, size: size, content: content)
    }

    package mutating func removeAll() {
        entries = []
        liveSize = 0
    }
}
