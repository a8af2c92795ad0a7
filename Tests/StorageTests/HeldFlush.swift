import Dispatch
import Foundation
import Primitives
import Synchronization

/// A disk whose flushes of commits take as long as the test likes, and that notes what else happens
/// to it meanwhile.
final class HeldFlush: Sendable {
    private struct State {
        var names: [String] = []
        var outcomes: [FileOperationHook.Outcome] = []
        var isHolding = true
    }

    private let state = Mutex(State())
    private let begun = DispatchSemaphore(value: 0)
    private let released = DispatchSemaphore(value: 0)

    init(_ directory: String) {
        let root = URL(fileURLWithPath: directory).resolvingSymlinksInPath().path
        FileOperationHook.handler = { [self] event in
            guard event.path.hasPrefix(root) else { return .goesOn }
            return handle(event.name)
        }
    }

    private func handle(_ name: String) -> FileOperationHook.Outcome {
        let isHeld = state.withLock { state in
            state.names.append(name)
            return state.isHolding && name == "flush commit"
        }
        guard isHeld else { return .goesOn }
        begun.signal()
        released.wait()
        return state.withLock { state in
            state.names.append("end of flush")
            return state.outcomes.removeFirst()
        }
    }

    /// Returns once a flush has begun.
    func awaitBegin() { begun.wait() }

    /// Lets the flush that has begun go on, or fail.
    func release(_ outcome: FileOperationHook.Outcome = .goesOn) {
        state.withLock { $0.outcomes.append(outcome) }
        released.signal()
    }

    /// Lets the flush that has begun go on, and holds none from now on.
    func end(_ outcome: FileOperationHook.Outcome = .goesOn) {
        state.withLock { $0.isHolding = false }
        release(outcome)
    }

    /// What was done to files so far, and where held flushes ended.
    var names: [String] { state.withLock { $0.names } }

    static func stop() { FileOperationHook.handler = nil }
}
