internal import CSQLite

extension Connection {
    /// Replaces this database's contents by those of `source`, page by page.
    ///
    /// - Parameters:
    ///   - pagesPerStep: how many pages are copied between two reports of progress.
    ///   - progress: called after each step with page counts; false stops the copy with
    ///     `SQLITE_INTERRUPT`, and this database is then as it was before.
    package func copy(
        from source: Connection, pagesPerStep: Int = 1024,
        progress: (_ remainingPageCount: Int, _ totalPageCount: Int) -> Bool = { _, _ in true }
    ) throws(SQLiteError) {
        precondition(pagesPerStep > 0 && source !== self)
        let destination = try unsafe open()
        guard
            let backup = unsafe sqlite3_backup_init(destination, "main", try source.open(), "main")
        else { throw unsafe SQLiteError(code: sqlite3_errcode(destination), handle: destination) }
        var code = SQLITE_OK
        while code == SQLITE_OK {
            code = unsafe sqlite3_backup_step(backup, Int32(clamping: pagesPerStep))
            guard code == SQLITE_OK || code == SQLITE_DONE else { break }
            let remaining = unsafe Int(sqlite3_backup_remaining(backup))
            let total = unsafe Int(sqlite3_backup_pagecount(backup))
            if !progress(remaining, total), code == SQLITE_OK { code = SQLITE_INTERRUPT }
        }
        let finishCode = unsafe sqlite3_backup_finish(backup)
        guard code == SQLITE_DONE else {
            throw SQLiteError(extendedCode: finishCode == SQLITE_OK ? code : finishCode)
        }
        try check(finishCode)
    }
}
