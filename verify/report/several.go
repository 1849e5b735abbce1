package report

// Several returns a report that hands everything on to several.
func Several(reports ...Report) Report { return several(reports) }

type several []Report

func (all several) Add(e Entry) error {
	for _, r := range all {
		if err := r.Add(e); err != nil {
			return err
		}
	}
	return nil
}

func (all several) Close() error {
	for _, r := range all {
		if err := r.Close(); err != nil {
			return err
		}
	}
	return nil
}

// InBrief returns a report that hands entries on without what details and pictures show alone.
func InBrief(r Report) Report { return inBrief{r} }

type inBrief struct{ Report }

func (b inBrief) Add(e Entry) error { return b.Report.Add(e.Brief()) }
