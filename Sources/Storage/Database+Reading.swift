internal import Glibc
package import Primitives

/// Snapshots: pages as of a commit, read from wherever they are by now.
extension Database {
    /// A view of the newest durable commit.
    package func snapshot() throws(StorageError) -> Snapshot {
        let taken = state.withLock { state -> Result<(Revision, UInt32), StorageError> in
            if let closing = state.closing { return .failure(closing) }
            return .success(state.takeHead(now: options.clock()))
        }
        let (revision, databaseSize) = try taken.get()
        return Snapshot(database: self, revision: revision, databaseSize: databaseSize)
    }

    /// What `head` is, unless the database is closing.
    package func openHead() throws(StorageError) -> (revision: Revision, databaseSize: UInt32) {
        let taken = state.withLock { state -> Result<(Revision, UInt32), StorageError> in
            if let closing = state.closing { return .failure(closing) }
            return .success((state.books.headRevision, state.books.databaseSize))
        }
        return try taken.get()
    }

    /// What a partial replica must see of the pages that it bootstrapped without: `base` names the
    /// revision that it bootstrapped with, and its size is that of the view.
    ///
    /// - Throws: `revisionGone` if the replica's history is no longer kept.
    package func snapshot(forReplica base: Revision) throws(StorageError) -> Snapshot {
        let now = options.clock()
        let taken = state.withLock { state -> Result<(Replica, mustRecord: Bool), StorageError> in
            if let closing = state.closing { return .failure(closing) }
            guard let id = base.replica, let replica = state.books.replicas[id],
                replica.began(with: base)
            else { return .failure(.revisionGone) }
            guard !replica.isFull else {
                // It was taken for complete and is not: its next pull must bring everything.
                _ = state.books.removeReplica(id)
                return .failure(.revisionGone)
            }
            for commit in replica.pinnedCommits {
                let isPinned = state.books.addPin(commit, now: now)
                precondition(isPinned, "a replica's pin is missing")
            }
            return .success((replica, state.books.useReplica(id, now: now)))
        }
        let (replica, mustRecord) = try taken.get()
        let layers =
            replica.echoed == replica.sent ? [replica.sent] : [replica.sent, replica.echoed]
        let snapshot = Snapshot(
            database: self, revision: base, databaseSize: replica.base.databaseSize,
            layers: layers)
        // A full disk must not keep pages from a client that hangs without them: that it was used
        // is written down with whatever comes next.
        if mustRecord { try? recordReplicas() }
        return snapshot
    }

    /// A view of an older commit that `revision` names.
    ///
    /// - Throws: `revisionGone` if its pages are no longer kept, or it is not known here.
    package func snapshot(at revision: Revision) throws(StorageError) -> Snapshot {
        let taken = state.withLock { state -> Result<UInt32, StorageError> in
            if let closing = state.closing { return .failure(closing) }
            guard state.books.knows(revision),
                state.books.addPin(revision.commit, now: options.clock()),
                let pin = state.books.pin(of: revision.commit)
            else { return .failure(.revisionGone) }
            return .success(pin.databaseSize)
        }
        return Snapshot(database: self, revision: revision, databaseSize: try taken.get())
    }

    /// Whether `revision` names a state that this database had and can compare with.
    package func knows(_ revision: Revision) -> Bool {
        state.withLock { $0.books.knows(revision) }
    }

    /// Pages up to `databaseSize` that changed after `commit`, ascending.
    package func pages(changedAfter commit: CommitNumber, databaseSize: UInt32) -> [PageNumber] {
        state.withLock {
            $0.books.changes.pages(changedAfter: commit, databaseSize: databaseSize)
        }
    }

    func removePin(_ commit: CommitNumber) {
        state.withLock { $0.books.removePin(commit) }
    }

    // MARK: pages

    /// Reads pages as of a pinned commit, looking them up again if a checkpoint moved them
    /// meanwhile.
    ///
    /// - Throws: `revisionGone` if the pin was dropped for want of room.
    func read(
        _ pages: ArraySlice<PageNumber>, at commit: CommitNumber,
        into buffer: UnsafeMutableRawBufferPointer, offsets: [Int]
    ) throws(StorageError) {
        while true {
            let (locations, layout) = state.withLock { state in
                (pages.compactMap { state.books.location(of: $0, at: commit) }, state.books.layout)
            }
            guard locations.count == pages.count else { throw .revisionGone }
            let isWhole = try unsafe readPages(
                pages, at: locations, into: buffer, offsets: offsets)
            let (isSame, closing) = state.withLock { ($0.books.layout == layout, $0.closing) }
            if let closing { throw closing }
            if isSame && isWhole { return }
            if isSame {
                throw .corruptFile(
                    path: historyFile.path, reason: "an old image is not what was saved")
            }
        }
    }

    /// False if an image in the history is not what its checksum says.
    private func readPages(
        _ pages: ArraySlice<PageNumber>, at locations: [DatabaseState.Location],
        into buffer: UnsafeMutableRawBufferPointer, offsets: [Int]
    ) throws(StorageError) -> Bool {
        var isWhole = true
        var index = 0
        while index < locations.count {
            let page = pages[pages.startIndex + index]
            let target = unsafe UnsafeMutableRawBufferPointer(
                rebasing: buffer[offsets[index]..<offsets[index] + pageSize])
            switch locations[index] {
            case .zeros:
                unsafe memset(target.baseAddress!, 0, pageSize)
                index += 1
            case .frame(let frame):
                try unsafe walFile.read(into: target, at: WALScanner.pageOffset(frame: frame))
                index += 1
            case .history(let slot, let checksum):
                try unsafe historyFile.read(into: target, at: Int64(slot * pageSize))
                let found = unsafe CRC32C.checksum(UnsafeRawBufferPointer(target))
                if found != checksum { isWhole = false }
                index += 1
            case .mainFile:
                // Neighbours in the file are read with one call.
                var end = index + 1
                while end < locations.count, locations[end] == .mainFile,
                    pages[pages.startIndex + end].rawValue == page.rawValue + UInt32(end - index)
                {
                    end += 1
                }
                try unsafe readMainFile(
                    from: page, into: buffer, offsets: offsets[index..<end])
                index = end
            }
        }
        return isWhole
    }

    private func readMainFile(
        from page: PageNumber, into buffer: UnsafeMutableRawBufferPointer, offsets: ArraySlice<Int>
    ) throws(StorageError) {
        let base = buffer.baseAddress!
        var vectors = unsafe offsets.map { unsafe iovec(iov_base: base + $0, iov_len: pageSize) }
        var failure: StorageError?
        var count = 0
        unsafe vectors.withUnsafeMutableBufferPointer { vectors in
            // At most IOV_MAX (1024) at once.
            var done = 0
            while done < vectors.count {
                let part = unsafe UnsafeMutableBufferPointer(
                    rebasing: vectors[done..<min(done + 1024, vectors.count)])
                do throws(StorageError) {
                    let offset = page.byteOffset + Int64(done * pageSize)
                    let read = try unsafe mainFile.readVectors(part, at: offset)
                    count += read
                    if read < part.count * pageSize { return }
                } catch {
                    failure = error
                    return
                }
                done += part.count
            }
        }
        if let failure { throw failure }
        // A short read: the file ends here, or the call was cut short. Page by page finds out.
        var index = count / pageSize
        while index < offsets.count {
            let offset = offsets[offsets.startIndex + index]
            try unsafe mainFile.read(
                into: UnsafeMutableRawBufferPointer(rebasing: buffer[offset..<offset + pageSize]),
                at: page.byteOffset + Int64(index * pageSize))
            index += 1
        }
    }
}
