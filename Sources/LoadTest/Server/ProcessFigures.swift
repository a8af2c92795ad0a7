internal import Glibc

/// What the system says about a process. Only processes of this machine can be asked.
package struct ProcessFigures: Equatable, Sendable {
    /// Nanoseconds of all its threads since it began, in user and system mode.
    package var cpuTime: UInt64
    /// Bytes in memory now, and the most there were.
    package var residentSize: Int
    package var peakSize: Int

    /// Nil if there is no such process, or it may not be asked.
    package init?(processIdentifier: Int32) {
        var clock = clockid_t()
        var time = timespec()
        guard unsafe clock_getcpuclockid(processIdentifier, &clock) == 0,
            unsafe clock_gettime(clock, &time) == 0,
            let status = TextFile.read("/proc/\(processIdentifier)/status")
        else { return nil }
        cpuTime = UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
        residentSize = Self.size("VmRSS:", in: status)
        peakSize = Self.size("VmHWM:", in: status)
    }

    /// The sum over several processes; nil if one of them is missing.
    package static func sum(_ processIdentifiers: [Int32]) -> ProcessFigures? {
        var sum: ProcessFigures?
        for identifier in processIdentifiers {
            guard let figures = ProcessFigures(processIdentifier: identifier) else { return nil }
            guard var total = sum else {
                sum = figures
                continue
            }
            total.cpuTime += figures.cpuTime
            total.residentSize += figures.residentSize
            total.peakSize += figures.peakSize
            sum = total
        }
        return sum
    }

    /// Lets the peak begin anew, where the system allows it.
    package static func resetPeak(of processIdentifier: Int32) {
        TextFile.overwrite("/proc/\(processIdentifier)/clear_refs", "5")
    }

    /// The value of a line such as `VmRSS:     1234 kB`, in bytes.
    private static func size(_ name: String, in status: String) -> Int {
        let line = status.split(separator: "\n").first { $0.hasPrefix(name) }
        return (line?.split(separator: " ").dropLast().last.flatMap { Int($0) } ?? 0) * 1024
    }
}
