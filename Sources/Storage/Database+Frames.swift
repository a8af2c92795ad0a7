internal import Primitives
internal import SQLite
internal import Synchronization

/// Frame sync: the frames of a generation, kept as docs/architecture.md, "Frame sync" has it.
extension Database {
    /// Nil while nobody has used frame sync.
    package var frameGeneration: FrameGeneration? {
        generationFiles.withLock { files in
            state.withLock { state in
                state.books.generation.map { ledger in
                    ledger.summary(previousEnd: files.past(ledger.number - 1)?.lastFrame)
                }
            }
        }
    }

    /// Begins generation 1 with the newest state, if none has begun. Durable when it returns.
    package func beginFrameSync() throws(StorageError) -> FrameGeneration {
        let result = generationFiles.withLock { files -> Result<Void, StorageError> in
            let begun = state.withLock { state -> FrameLedger? in
                guard state.books.generation == nil else { return nil }
                state.books.beginGeneration(1)
                return state.books.generation
            }
            guard let begun else { return .success(()) }
            do throws(StorageError) {
                try files.begin(begun.current, after: nil, keptBytes: 0)
            } catch {
                state.withLock { $0.books.restoreGeneration(nil) }
                return .failure(error)
            }
            return .success(())
        }
        try result.get()
        return frameGeneration!
    }

    /// The database as it was when a generation began.
    ///
    /// - Throws: `revisionGone` for any but the current one.
    package func generationBase(_ number: UInt32) throws(StorageError) -> Snapshot {
        let now = options.clock()
        let taken = state.withLock { state -> Result<FrameLedger, StorageError> in
            if let closing = state.closing { return .failure(closing) }
            guard let ledger = state.books.generation, ledger.number == number,
                state.books.addPin(ledger.base.commit, now: now)
            else { return .failure(.revisionGone) }
            return .success(ledger)
        }
        let ledger = try taken.get()
        let revision = Revision(
            databaseID: databaseID, epoch: ledger.baseEpoch, commit: ledger.base.commit)
        return Snapshot(
            database: self, revision: revision, databaseSize: ledger.base.databaseSize)
    }

    /// Committed frames from `start` on, about `limit` of them and whole commits; nil if the
    /// generation has none from there on.
    ///
    /// - Throws: `revisionGone` if the server knows nothing of such a generation, or of frames so
    ///   far ahead: it is not the one that the client knew.
    package func frameSource(
        generation number: UInt32, from start: UInt32, limit: Int
    ) throws(StorageError) -> FrameSource? {
        precondition(start > 0 && limit > 0, "frames are numbered from 1 on")
        // A roll holds the same lock: it is seen as a whole or not at all.
        let found = generationFiles.withLock { files -> Result<FrameSource?, StorageError> in
            let (ledger, closing) = state.withLock { ($0.books.generation, $0.closing) }
            if let closing { return .failure(closing) }
            guard let ledger, number <= ledger.number, let file = files.frames else {
                return .failure(.revisionGone)
            }
            guard number == ledger.number else {
                return pastFrameSource(number, from: start, current: ledger, files)
            }
            guard start <= ledger.lastFrame else {
                return start > ledger.lastFrame + 1 ? .failure(.revisionGone) : .success(nil)
            }
            return .success(
                FrameSource(
                    database: self, generation: number, archive: file,
                    frames: start...ledger.end(from: start, limit: limit)))
        }
        return try found.get()
    }

    private func pastFrameSource(
        _ number: UInt32, from start: UInt32, current: FrameLedger, _ files: GenerationFiles
    ) -> Result<FrameSource?, StorageError> {
        guard let past = files.past(number) else { return .failure(.revisionGone) }
        guard start <= past.lastFrame else { return .success(nil) }
        do throws(StorageError) {
            if let file = try files.keptFrames(of: number) {
                // Up to its end: it ends with a commit, and there is no list of the others.
                return .success(
                    FrameSource(
                        database: self, generation: number, archive: file,
                        frames: start...past.lastFrame))
            }
            let base = try generationBase(current.number)
            let pages = pages(changedAfter: past.baseCommit, databaseSize: base.databaseSize)
            return .success(
                FrameSource(
                    database: self, base: base, pages: pages,
                    frames: start...max(past.lastFrame, start + UInt32(max(1, pages.count)) - 1)))
        } catch {
            return .failure(error)
        }
    }

    /// Notes that clients were told once to let the generation end; durable when it returns.
    package func noteCheckpointNeeded() throws(StorageError) {
        let result = generationFiles.withLock { files -> Result<Void, StorageError> in
            do throws(StorageError) { try files.askedForCheckpoint() } catch {
                return .failure(error)
            }
            state.withLock { $0.books.noteCheckpointNeeded() }
            return .success(())
        }
        try result.get()
    }

    /// What clients may count as the server's though no commit has it, by the newest
    /// `noteUnfinished`; also that of a former process.
    package var unfinishedFrames: [UnfinishedFrames] {
        generationFiles.withLock { $0.unfinished }
    }

    /// Notes what clients were told was taken and is in memory only. Durable when it returns, so that
    /// a process that does not have it any more knows who may count on it.
    package func noteUnfinished(_ frames: [UnfinishedFrames]) throws(StorageError) {
        let result = generationFiles.withLock { files -> Result<Void, StorageError> in
            do throws(StorageError) { try files.noteUnfinished(frames) } catch {
                return .failure(error)
            }
            return .success(())
        }
        try result.get()
    }

    /// Bytes of the frames that are kept outside of the WAL, those of ended generations included.
    var archivedFrameBytes: Int64 {
        generationFiles.withLock { files in
            let current = state.withLock { $0.books.generation?.archivedFrame ?? 0 }
            return files.past.filter(\.isKept).reduce(
                Int64(current) * Int64(GenerationFiles.frameSize)
            ) { $0 + Int64($1.lastFrame) * Int64(GenerationFiles.frameSize) }
        }
    }

    // MARK: on the writer lane

    /// Copies committed frames that are only in the WAL to the archive, durably. Before every
    /// checkpoint: behind it the WAL may start over.
    func archiveFrames() throws(StorageError) {
        let result = generationFiles.withLock { files -> Result<Void, StorageError> in
            guard let ledger = state.withLock({ $0.books.generation }), let file = files.frames,
                ledger.archivedCommitCount < ledger.ends.count
            else { return .success(()) }
            do throws(StorageError) {
                try copyFrames(ledger.archivedFrame + 1...ledger.lastFrame, ledger, to: file)
                try files.archived(ledger.ends[ledger.archivedCommitCount...])
            } catch {
                return .failure(error)
            }
            state.withLock {
                $0.books.framesArchived(
                    commitCount: ledger.ends.count, generation: ledger.number)
            }
            return .success(())
        }
        try result.get()
    }

    private func copyFrames(
        _ range: ClosedRange<UInt32>, _ ledger: FrameLedger, to file: File
    ) throws(StorageError) {
        let size = GenerationFiles.frameSize
        var next = range.lowerBound
        while next <= range.upperBound {
            let count = min(256, Int(range.upperBound - next) + 1)
            var bytes = [UInt8](repeating: 0, count: count * size)
            try walFile.readBytes(
                into: &bytes, at: WALScanner.frameOffset(ledger.walFrame(of: next)))
            try file.write(bytes, at: Int64(next - 1) * Int64(size), for: .frames)
            next += UInt32(count)
        }
        try file.synchronize(for: .frames)
    }

    func rollGeneration() throws(StorageError) -> FrameGeneration {
        // The tip becomes the base of the next one.
        try flushPending()
        try archiveFrames()
        let result = generationFiles.withLock { files -> Result<Void, StorageError> in
            let (old, new) = state.withLock { state -> (FrameLedger?, FrameLedger?) in
                let old = state.books.generation
                guard let old else { return (nil, nil) }
                state.books.beginGeneration(old.number + 1)
                return (old, state.books.generation)
            }
            guard let old, let new else { return .failure(.revisionGone) }
            do throws(StorageError) {
                try files.begin(new.current, after: old, keptBytes: options.historyQuota)
            } catch {
                state.withLock { $0.books.restoreGeneration(old) }
                return .failure(error)
            }
            return .success(())
        }
        try result.get()
        return frameGeneration!
    }
}

extension FrameLedger {
    fileprivate func summary(previousEnd: UInt32?) -> FrameGeneration {
        FrameGeneration(
            number: number, lastFrame: lastFrame, base: base,
            hasAskedForCheckpoint: hasAskedForCheckpoint, previousEnd: previousEnd)
    }

    /// What is written down of it when it begins.
    fileprivate var current: GenerationFiles.Current {
        .init(number: number, base: base, baseEpoch: baseEpoch)
    }
}
