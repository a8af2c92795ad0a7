internal import WireProtocol

/// How one step of a batch ended.
enum StepOutcome: Equatable {
    case skipped
    case succeeded
    case failed
}

extension BatchCondition {
    /// - Parameters:
    ///   - outcomes: of the steps before the one with this condition.
    ///   - isAutocommit: asked only where the condition does.
    func holds(outcomes: [StepOutcome], isAutocommit: () -> Bool) -> Bool {
        switch self {
        case .ok(let step): return outcomes[step] == .succeeded
        case .error(let step): return outcomes[step] == .failed
        case .not(let condition):
            return !condition.holds(outcomes: outcomes, isAutocommit: isAutocommit)
        case .and(let conditions):
            return conditions.allSatisfy {
                $0.holds(outcomes: outcomes, isAutocommit: isAutocommit)
            }
        case .or(let conditions):
            return conditions.contains {
                $0.holds(outcomes: outcomes, isAutocommit: isAutocommit)
            }
        case .isAutocommit: return isAutocommit()
        }
    }
}
