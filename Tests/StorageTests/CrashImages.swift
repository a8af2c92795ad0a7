import Foundation
import Primitives
import TestSupport

/// Takes images of a data directory just before operations that change it. For the file system, a
/// copy at that moment is what a process leaves that is killed there: all that it did before, and
/// nothing of what comes after.
final class CrashImages: @unchecked Sendable {
    // @unchecked: guarded by `lock`.

    struct Image {
        /// What was about to happen, and how the machine ended.
        let moment: String
        let disk: WatchedDisk.Image
        /// `mark` at that moment.
        let mark: Int
    }

    private let root: String
    private let lock = NSLock()
    private var generator: SeededGenerator
    private let disk: WatchedDisk
    private let perName: Int
    private let oneIn: Int
    private var counts: [String: Int] = [:]
    /// For each name, what was chosen of its occurrences, each with equal chance.
    private var chosen: [String: [[Image]]] = [:]
    private var others: [Image] = []
    private var failures: [String: (count: Int, outcome: FileOperationHook.Outcome)] = [:]
    private var currentMark = 0

    /// - Parameters:
    ///   - perName: how many occurrences of each name images are taken of.
    ///   - oneIn: how many operations there are to a further image; 0 for none.
    init(root: String, generator: SeededGenerator, perName: Int, oneIn: Int) throws {
        self.root = root
        self.generator = generator
        self.perName = perName
        self.oneIn = oneIn
        disk = try WatchedDisk(root: root)
    }

    /// How far the test has come, to be kept with each image.
    var mark: Int {
        get { lock.withLock { currentMark } }
        set { lock.withLock { currentMark = newValue } }
    }

    var images: [Image] {
        lock.withLock {
            chosen.sorted { $0.key < $1.key }.flatMap { $0.value.flatMap { $0 } } + others
        }
    }

    /// Names of the operations that there were.
    var names: Set<String> { lock.withLock { Set(counts.keys) } }

    func begin() {
        FileOperationHook.handler = { [self] event in
            guard event.path.hasPrefix(root) else { return .goesOn }
            return lock.withLock { note(event) }
        }
    }

    func end() { FileOperationHook.handler = nil }

    /// Lets the next `count` operations of a name fail.
    func fail(_ name: String, _ outcome: FileOperationHook.Outcome, count: Int = 1) {
        lock.withLock { failures[name] = (count, outcome) }
    }

    /// Whether all of these operations came.
    var allFailuresHappened: Bool { lock.withLock { failures.isEmpty } }

    private func note(_ event: FileOperationHook.Event) -> FileOperationHook.Outcome {
        let name = event.name
        disk.operationEnded()
        choose(name)
        let outcome = takeFailure(name)
        disk.note(event, outcome)
        return outcome
    }

    private func takeFailure(_ name: String) -> FileOperationHook.Outcome {
        guard let (count, outcome) = failures[name] else { return .goesOn }
        failures[name] = count > 1 ? (count - 1, outcome) : nil
        return outcome
    }

    /// Each occurrence of a name ends up among the chosen ones with the same chance.
    private func choose(_ name: String) {
        let count = counts[name, default: 0]
        counts[name] = count + 1
        if count < perName {
            chosen[name, default: []].append(take(name))
        } else if perName > 0, case let place = generator.number(0...count), place < perName {
            chosen[name]?[place] = take(name)
        } else if oneIn > 0, generator.chance(oneIn) {
            others.append(generator.chance(3) ? killed(name) : powerless(name))
        }
    }

    private func take(_ name: String) -> [Image] {
        [killed(name), powerless(name), powerless(name)]
    }

    private func killed(_ name: String) -> Image {
        Image(moment: "kill before: \(name)", disk: disk.killed(), mark: currentMark)
    }

    private func powerless(_ name: String) -> Image {
        let image = disk.powerless(&generator)
        return Image(moment: "power cut before: \(name)", disk: image, mark: currentMark)
    }
}
