package import Primitives

/// Making and removing databases. A folder is built under a name that starts with a dot, made
/// durable, and then renamed, so that a crash leaves all of a database or nothing.
extension DatabaseStore {
    /// Makes an empty database. Blocks; durable when it returns.
    package func create(_ name: DatabaseName) throws(StorageError) {
        try reserve(name)
        do throws(StorageError) {
            try buildFolder(for: name) { path throws(StorageError) in
                try DatabaseFolder.makeEmptyDatabase(at: path + "/main.db")
            }
        } catch {
            unreserve(name)
            throw error
        }
        logger.info("database_created", [("database", name.text)])
    }

    /// Makes a database with a snapshot's content and an identity of its own. Blocks.
    package func create(_ name: DatabaseName, copying snapshot: Snapshot) throws(StorageError) {
        try reserve(name)
        do throws(StorageError) {
            try buildFolder(for: name) { path throws(StorageError) in
                try DatabaseFolder.copy(snapshot, to: path + "/main.db")
            }
        } catch {
            unreserve(name)
            throw error
        }
        logger.info("database_forked", [("database", name.text)])
    }

    /// Makes a database from a SQLite file of any kind, converting what can be converted safely.
    /// Blocks; leaves nothing behind when it fails.
    ///
    /// - Parameters:
    ///   - check: what keeps replicas from holding the database, and what they should know.
    ///   - progress: called now and then with what is being done.
    package func importDatabase(
        _ name: DatabaseName, from source: String,
        check: @escaping DatabaseImport.Check,
        progress: @escaping (DatabaseImport.Progress) -> Void
    ) throws(StorageError) -> DatabaseImport.Report {
        try reserve(name)
        do throws(StorageError) {
            var report = DatabaseImport.Report()
            try buildFolder(for: name) { path throws(StorageError) in
                report = try DatabaseImport.run(
                    from: source, to: path + "/main.db", check: check, progress: progress)
            }
            logger.info(
                "database_imported",
                [("database", name.text), ("pages", "\(report.pageCount)")])
            return report
        } catch {
            unreserve(name)
            throw error
        }
    }

    /// Removes a database for good. Requests that use it fail; streams under way are cut.
    package func delete(
        _ name: DatabaseName, completion: @escaping @Sendable (StorageError?) -> Void
    ) {
        let (found, hasFailed) = state.withLock {
            state -> (Result<Database?, StorageError>, hasFailed: Bool) in
            guard !state.isClosed else { return (.failure(.closed), false) }
            let entry = state.entries[name]
            switch entry {
            case nil, .reserved: return (.failure(.unknownDatabase(name)), false)
            case .opening, .closing: return (.failure(.databaseBusy(name)), false)
            case .closed, .failed:
                state.entries[name] = .reserved
                transitions.enter()
                if case .failed = entry { return (.success(nil), true) }
                return (.success(nil), false)
            case .open(let open):
                state.entries[name] = .reserved
                transitions.enter()
                state.openCount -= 1
                return (.success(open.database), false)
            }
        }
        let remove: @Sendable (Bool) -> Void = { [self] mustStayClosed in
            defer { transitions.leave() }
            do throws(StorageError) {
                try removeFolder(of: name, mustStayClosed: mustStayClosed)
                logger.info("database_deleted", [("database", name.text)])
                completion(nil)
            } catch {
                completion(error)
            }
        }
        switch found {
        case .failure(let error): completion(error)
        case .success(nil): workers.submit { remove(hasFailed) }
        case .success(let database?):
            database.close(reason: .unknownDatabase(name)) {
                self.workers.submit { remove(database.mustStayClosed) }
            }
        }
    }

    /// - Parameter mustStayClosed: not to be opened again if it cannot be removed.
    private func removeFolder(
        of name: DatabaseName, mustStayClosed: Bool
    ) throws(StorageError) {
        let grave = temporaryPath("deleted")
        do throws(StorageError) {
            guard
                try Directory.renameIfAbsent(
                    path(of: name), to: grave, for: .deletedName)
            else {
                preconditionFailure("a random name was taken")
            }
        } catch {
            state.withLock { state in
                state.entries[name] = mustStayClosed ? .failed : .closed
                // It may have lost commits, whose numbers are used again.
                state.epochs[name] = nil
            }
            throw error
        }
        state.withLock { $0.remove(name) }
        try Directory.synchronize(databasesDirectory, for: .deletedName)
        try Directory.removeWithFiles(grave, for: .deleted)
    }

    private func reserve(_ name: DatabaseName) throws(StorageError) {
        let isFree = state.withLock { state -> Bool in
            guard state.entries[name] == nil else { return false }
            state.entries[name] = .reserved
            return true
        }
        if !isFree { throw .databaseExists(name) }
    }

    private func unreserve(_ name: DatabaseName) {
        state.withLock { $0.entries[name] = nil }
    }

    func temporaryPath(_ kind: String) -> String {
        databasesDirectory + "/.\(kind)-" + String(RandomIdentifier.uint64(), radix: 16)
    }

    private func buildFolder(
        for name: DatabaseName, makeMainFile: (_ path: String) throws(StorageError) -> Void
    ) throws(StorageError) {
        let path = temporaryPath("creating")
        try Directory.create(path, for: .newFolder)
        do throws(StorageError) {
            try makeMainFile(path)
            try DatabaseFolder.addBooks(at: path)
            guard
                try Directory.renameIfAbsent(path, to: self.path(of: name), for: .createdName)
            else {
                throw .databaseExists(name)
            }
        } catch {
            try? Directory.removeWithFiles(path, for: .failedNew)
            throw error
        }
        do throws(StorageError) {
            try Directory.synchronize(databasesDirectory, for: .createdName)
        } catch {
            // Back to the hidden name first: whatever fails here, no half of it can be found.
            let isHidden = try? Directory.renameIfAbsent(
                self.path(of: name), to: path, for: .failedName)
            if isHidden == true { try? Directory.removeWithFiles(path, for: .failedNew) }
            throw error
        }
        state.withLock { $0.entries[name] = .closed }
    }
}
