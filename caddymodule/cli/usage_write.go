package cli

import (
	"cmp"
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
)

// usageColumns are the columns after those that records are added up by.
var usageColumns = []string{"calls", "tokens_in", "tokens_out", "tokens_cached", "tokens_reasoning", "estimated", "aborted", "unreported"}

// cells are the columns of a row.
func (r *usageRow) cells(by []string) (cells []string) {
	for _, dimension := range by {
		cells = append(cells, r.name(dimension))
	}
	for _, n := range []int64{r.Calls, r.In, r.Out, r.Cached, r.Reasoning, r.Estimated, r.Aborted, r.Unreported} {
		cells = append(cells, strconv.FormatInt(n, 10))
	}
	return cells
}

func writeUsageJSON(w io.Writer, rows []*usageRow) error {
	if rows == nil {
		rows = []*usageRow{}
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(rows)
}

// writeUsageCSV writes names that a spreadsheet would take for a formula with a quote
// before them: a client chooses the name of its model.
func writeUsageCSV(w io.Writer, by []string, rows []*usageRow) error {
	table := csv.NewWriter(w)
	if err := table.Write(append(append([]string{}, by...), usageColumns...)); err != nil {
		return err
	}
	for _, row := range rows {
		cells := row.cells(by)
		for i := range by {
			if strings.IndexAny(cells[i], "=+-@\t\r") == 0 {
				cells[i] = "'" + cells[i]
			}
		}
		if err := table.Write(cells); err != nil {
			return err
		}
	}
	table.Flush()
	return table.Error()
}

func writeUsageTable(w io.Writer, by []string, rows []*usageRow) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(cells []string) error {
		_, err := io.WriteString(table, strings.Join(cells, "\t")+"\n")
		return err
	}
	if err := line(append(append([]string{}, by...), usageColumns...)); err != nil {
		return err
	}
	var total usageRow
	for _, row := range rows {
		total.addRow(row)
		cells := row.cells(by)
		for i := range cells {
			cells[i] = cmp.Or(cells[i], "-")
		}
		if err := line(cells); err != nil {
			return err
		}
	}
	cells := total.cells(by)
	if len(by) > 0 {
		cells[0] = "total"
	}
	if err := line(cells); err != nil {
		return err
	}
	return table.Flush()
}
