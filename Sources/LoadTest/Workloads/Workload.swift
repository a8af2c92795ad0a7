/// A kind of traffic: what it needs beforehand, what each virtual client does, and what must be
/// true afterwards.
package protocol Workload: AnyObject, Sendable {
    /// Names of the kinds of operations, as sessions number them in their verdicts.
    var kinds: [String] { get }

    /// Once, before all runs. Blocks.
    func prepare(_ databases: [BenchDatabase]) throws(BenchError)

    /// Before each run. Blocks.
    func beginRun(_ databases: [BenchDatabase], number: Int) throws(BenchError)

    /// On the thread that the session will live on.
    ///
    /// - Parameter client: index of the virtual client; `database`: that it works on.
    func makeSession(client: Int, database: BenchDatabase) -> any ClientSession

    /// What carries a run out, where that is not clients that each do the next operation of their
    /// session.
    func makeDriver(_ context: DriverContext) -> any RunDriver

    /// Figures of a run that only this workload has.
    func extras(_ run: RunSummary) -> [RunSummary.Extra]

    /// After each run, if it is to be verified: what was checked, for people.
    func verify(_ databases: [BenchDatabase]) throws(BenchError) -> [String]
}

extension Workload {
    package func prepare(_ databases: [BenchDatabase]) throws(BenchError) {}
    package func beginRun(_ databases: [BenchDatabase], number: Int) throws(BenchError) {}
    package func makeDriver(_ context: DriverContext) -> any RunDriver {
        LoadDriver(context, workload: self)
    }
    package func extras(_ run: RunSummary) -> [RunSummary.Extra] { [] }
    package func verify(_ databases: [BenchDatabase]) throws(BenchError) -> [String] { [] }
}
