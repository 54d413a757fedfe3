package trail

// writeChained writes lines as records of the chain, and a checkpoint when one is
// due. A failed write leaves the chain where it was.
func (o *fileOutput) writeChained(lines []byte) error {
	undo := *o.chain
	o.chainLines(lines)
	sealed := o.chain.unsealed >= checkpointRecords
	if sealed {
		o.buf = o.chain.appendCheckpoint(o.buf, causePeriodic)
	}
	if err := o.append(o.buf); err != nil {
		*o.chain = undo
		return err
	}
	if sealed {
		o.saveHead()
	}
	return nil
}

// addCheckpoint seals the records so far, in the file and beside it.
func (o *fileOutput) addCheckpoint(cause string) {
	undo := *o.chain
	o.chainLines(nil)
	o.buf = o.chain.appendCheckpoint(o.buf, cause)
	if err := o.append(o.buf); err != nil {
		*o.chain = undo
		return
	}
	o.saveHead()
}

// chainLines puts the lines into the buffer as records of the chain, after the record
// of why the file was opened.
func (o *fileOutput) chainLines(lines []byte) {
	o.buf = o.buf[:0]
	if o.opening != "" {
		o.buf = o.chain.appendControl(o.buf, EventOpened, o.opening, o.torn)
	}
	_, _ = eachLine(lines, func(line []byte) error {
		o.buf = o.chain.append(o.buf, line)
		return nil
	})
}
