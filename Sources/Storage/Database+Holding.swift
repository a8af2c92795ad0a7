internal import SQLite

/// The writer, kept for one open transaction between two jobs; good for one `Database.resume`.
package struct WriterHold: Sendable {
    fileprivate let number: UInt64
}

struct HeldWriter {
    let number: UInt64
    let whenClosed: @Sendable () -> Void
}

extension WriterSession {
    /// Keeps the writer for the transaction that is open now, beyond the end of the job and without
    /// a thread: nobody else writes and no checkpoint runs before `Database.resume` has brought the
    /// job that goes on, and that job has ended the transaction.
    ///
    /// - Parameter whenClosed: called, on any thread, if the database closes before that. The
    ///   transaction is rolled back then, and the hold is good for nothing.
    /// - Throws: why the database does not go on; then the job has to end the transaction itself.
    package func hold(
        whenClosed: @escaping @Sendable () -> Void
    ) throws(StorageError) -> WriterHold {
        try database.hold(whenClosed: whenClosed)
    }
}

/// Transactions that go on after the job that began them.
extension Database {
    /// Runs `job` with the transaction that `hold` stands for, ahead of all who wait for the writer.
    /// The job ends the transaction, or holds the writer again.
    ///
    /// - Parameters:
    ///   - refused: called instead if the database is closing, which ended the transaction.
    ///   - completion: as of `write`.
    package func resume<Value: Sendable>(
        _ hold: WriterHold, _ job: @escaping @Sendable (WriterSession) -> Value,
        refused: (StorageError) -> Void,
        completion: @escaping @Sendable (Result<Value, StorageError>) -> Void
    ) {
        let refusal = state.withLock { state -> StorageError? in
            guard state.heldWriter?.number == hold.number else {
                guard let closing = state.closing else {
                    preconditionFailure("a hold was used twice")
                }
                return closing
            }
            state.heldWriter = nil
            return nil
        }
        if let refusal { return refused(refusal) }
        writerLane.resume { [self] in perform(job, completion: completion) }
    }

    fileprivate func hold(
        whenClosed: @escaping @Sendable () -> Void
    ) throws(StorageError) -> WriterHold {
        guard !sharedFile.hasFailed else { throw .databaseFailed(name) }
        precondition(!writer.isAutocommit, "there is no transaction to hold the writer for")
        let held = state.withLock { state -> Result<WriterHold, StorageError> in
            if let closing = state.closing { return .failure(closing) }
            // Under the same lock, because who closes the database resumes the lane.
            writerLane.hold()
            state.nextHold += 1
            state.heldWriter = HeldWriter(number: state.nextHold, whenClosed: whenClosed)
            return .success(WriterHold(number: state.nextHold))
        }
        let hold = try held.get()
        isWriterHeld = true
        return hold
    }

    /// Rolls back the transaction of a hold that nobody can use any more.
    func end(_ held: HeldWriter) {
        writerLane.resume { [self] in
            perform({ try? $0.connection.execute("ROLLBACK") }, completion: { _ in })
        }
        held.whenClosed()
    }
}
