package import CommandLineOptions

/// How often a client of the mixed workload does what: `push=1,pull=8,bootstrap=1`.
package struct OperationMix: Equatable, Sendable {
    package enum Operation: String, CaseIterable, Sendable {
        case push, pull, bootstrap, sql
    }

    /// Shares, in the order of `Operation.allCases`; at least one is not 0.
    package let shares: [Int]

    package static let standard = OperationMix(shares: [10, 80, 1, 9])

    /// The operation for a number that is evenly drawn from all numbers.
    package func operation(for number: UInt64) -> Operation {
        var rest = Int(number % UInt64(shares.reduce(0, +)))
        for (operation, share) in zip(Operation.allCases, shares) {
            if rest < share { return operation }
            rest -= share
        }
        preconditionFailure("the rest is less than the sum of all shares")
    }
}

extension OperationMix: OptionValue {
    package init(optionText: String) throws(InvalidOptionValue) {
        var shares = [Int](repeating: 0, count: Operation.allCases.count)
        for part in optionText.split(separator: ",", omittingEmptySubsequences: false) {
            let sides = part.split(separator: "=", omittingEmptySubsequences: false)
            guard sides.count == 2,
                let index = Operation.allCases.firstIndex(where: { $0.rawValue == sides[0] }),
                let share = Int(sides[1]), (0...1_000_000).contains(share)
            else {
                throw InvalidOptionValue("is not a mix such as push=1,pull=8,bootstrap=1,sql=1")
            }
            shares[index] = share
        }
        guard shares.contains(where: { $0 > 0 }) else {
            throw InvalidOptionValue("has no operations")
        }
        self.init(shares: shares)
    }

    package var optionText: String {
        zip(Operation.allCases, shares).filter { $0.1 > 0 }
            .map { "\($0.0.rawValue)=\($0.1)" }.joined(separator: ",")
    }
}
