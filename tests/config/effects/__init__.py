"""What each config field changes, a file for each part of the tree.

A new field needs one line in a table `EFFECTS` of a file here: `"section.field": Effect(observe, to=changed_value)`.
`observe(config, folder)` runs the code that reads the field and returns something that can be compared. The check runs
it twice on the config before and once on the changed one. It fails if the two runs before differ, if nothing changes or
changes in the wrong direction (`holds=rises`), if no code of the product reads the field on the way, or if the test
itself reads it.
"""
