/// Keeps the changes that pushes lost, outside of the database, where an operator can list them.
package protocol RejectedChangeRecorder: AnyObject {
    /// Called before the transaction that goes on without `changes` commits. They must be durable
    /// when it returns, and stamped with the time; a failure rolls the transaction back.
    func record(_ changes: [RejectedChange]) throws

    /// Says how the transaction of the newest `record` ended: if it did not commit, what was
    /// recorded is void, because the client pushes all of it again. A crash before this call
    /// leaves the question open; (client, change id) in the database then answers it.
    func resolved(committed: Bool)
}
