internal import Primitives
package import SQLite
package import Storage

/// Proves that pushed frames make a sound database, before one byte of them is written.
///
/// In this order, each step protecting the next:
/// 1. `FrameRules`: page numbers, sizes and headers, of every transaction.
/// 2. `SchemaRows`, `SchemaRules`: the schema is read without SQLite, and its entries are what they
///    say.
/// 3. Where the schema changed, SQLite parses it, and `ReplicaCompatibility` looks for what replicas
///    cannot hold.
/// 4. `ImageWalk`: the pushed pages and what they newly refer to have the form of their trees, and
///    nothing is used twice.
/// 5. SQLite's `quick_check`: the touched tables, the smallest first, then everything.
///
/// Steps 1 to 3 always come to their end. 4 and 5 have a time each: what is not checked when it is
/// over passes. Only the state after the last transaction is checked by 2 to 5: SQL sees no other,
/// unless the process dies while the push is written.
package struct ImageCheck: Sendable {
    package struct Limits: Sendable {
        /// For step 4, and at most for step 5. Step 4 seldom needs a tenth: it reads the pushed
        /// pages and some that lead to them.
        package var time: Duration = .milliseconds(25)
        /// What step 4 is given for each frame, if that is more: a large push must not be less proven.
        package var walkTimePerFrame: Duration = .microseconds(20)
        /// What step 5 is given for each frame, but at least as much as for 250: it could go on
        /// through the whole database, and must cost less than writing the push does.
        package var quickCheckTimePerFrame: Duration = .microseconds(2)
        /// For step 3; a schema that takes longer is refused.
        package var schemaTime: Duration = .seconds(2)
        /// All entries of the schema together, in bytes. SQLite takes about fifty times as much to
        /// hold the worst ones.
        package var schemaSize = 4 << 20

        package init() {}

        func walkTime(frameCount: Int) -> Duration { max(time, walkTimePerFrame * frameCount) }

        func quickCheckTime(frameCount: Int) -> Duration {
            min(time, quickCheckTimePerFrame * max(250, frameCount))
        }
    }

    private let limits: Limits

    package init(limits: Limits = Limits()) { self.limits = limits }

    /// - Parameters:
    ///   - frames: one or more whole transactions.
    ///   - head: the state that they are applied to.
    /// - Throws: if `head` cannot be read.
    package func verdict(
        on frames: [WALFrame], over head: Snapshot
    ) throws(StorageError) -> ImageVerdict {
        let base = SnapshotPages(head)
        do throws(SQLiteError) {
            return try verdict(on: frames, over: base)
        } catch {
            throw base.failure ?? .sqlite(error)
        }
    }

    /// - Throws: what `base` throws, and SQLite's errors that are not the image's fault.
    package func verdict(
        on frames: [WALFrame], over base: any PageSource
    ) throws(SQLiteError) -> ImageVerdict {
        let pageOne = base.databaseSize > 0 ? try base.page(1) : []
        let problems = FrameRules.problems(
            of: frames, baseSize: base.databaseSize, pageOne: pageOne)
        guard problems.isEmpty else { return .refused(problems) }
        let image = PushedImage(frames: frames, base: base)
        do throws(ImageCheckStop) {
            let (schema, trees) = try check(image)
            let deadline = ContinuousClock.now + limits.quickCheckTime(frameCount: frames.count)
            try QuickCheck(image, deadline: deadline).run(schema.rows, trees: trees)
            return .sound
        } catch {
            switch error {
            case .faults(let problems): return .refused(problems)
            case .outOfTime: return .sound
            case .source(let error): throw error
            }
        }
    }

    // MARK: steps 2 to 4

    /// - Returns: the schema, and those of its trees that were walked, by their roots.
    private func check(
        _ image: PushedImage
    ) throws(ImageCheckStop) -> (ImageSchema, [UInt32: ImageWalk.Tree]) {
        var walk = ImageWalk(image: image)
        let schema = try ImageSchema(image, walk: &walk, maximumSize: limits.schemaSize)
        if schema.isChanged { try SchemaCheck(image, limits: limits).run(schema) }
        let deadline = ContinuousClock.now + limits.walkTime(frameCount: image.frameCount)
        walk.isOutOfTime = { ContinuousClock.now >= deadline }
        var trees: [UInt32: ImageWalk.Tree] = [:]
        do throws(ImageCheckStop) {
            for row in schema.rows where row.root != 0 {
                let isIndex = row.type.elementsEqual("index".utf8)
                trees[row.root] = try walk.walkTree(
                    root: row.root, isIndex: isIndex ? true : nil,
                    isOfBase: schema.baseRoots.contains(row.root))
            }
            try walk.walkFreeList(pageOne: schema.pageOne)
        } catch .outOfTime {
            // What is left passes.
        }
        if let problem = schema.cookieProblem { throw .fault(problem) }
        return (schema, trees)
    }
}
