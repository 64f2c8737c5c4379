// Asks a server what Grafana would: reads queries from stdin, fills in their macros and makes data frames of the answers
// by grafana-plugin-sdk-go, as influxdata's FlightSQL data source does. Prints a line of JSON for each.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/apache/arrow-go/v18/arrow/flight/flightsql"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/data/sqlutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// A query of a panel, or of an alert: format "alert".
type request struct {
	Where  string    `json:"where"`
	SQL    string    `json:"sql"`
	Format string    `json:"format"`
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
}

// What became of it. Kind: "wide" for series, "numbers" where Grafana's expressions take it, else "table".
type answer struct {
	Where string `json:"where"`
	Kind  string `json:"kind"`
	Rows  int    `json:"rows"`
	Error string `json:"error"`
}

var macros = sqlutil.Macros{
	"dateBin": func(query *sqlutil.Query, args []string) (string, error) {
		if len(args) != 1 {
			return "", fmt.Errorf("%w: expected 1 argument, received %d", sqlutil.ErrorBadArgumentCount, len(args))
		}
		seconds := int64(query.Interval.Seconds())
		return fmt.Sprintf("date_bin(interval '%d second', %s, timestamp '1970-01-01T00:00:00Z')", seconds, args[0]), nil
	},
}

func main() {
	client, err := flightsql.NewClient(os.Args[1], nil, nil, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer client.Close()
	requests, answers := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var asked request
		if err := requests.Decode(&asked); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		result := answer{Where: asked.Where}
		frame, err := ask(client, asked)
		if err != nil {
			result.Error = err.Error()
		} else {
			result.Kind, result.Rows = kind(frame), frame.Rows()
		}
		if err := answers.Encode(result); err != nil {
			os.Exit(1)
		}
	}
}

func ask(client *flightsql.Client, asked request) (*data.Frame, error) {
	query := &sqlutil.Query{
		RawSQL:    asked.SQL,
		Interval:  time.Second,
		TimeRange: backend.TimeRange{From: asked.From, To: asked.To},
	}
	sql, err := sqlutil.Interpolate(query, macros)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	info, err := client.Execute(ctx, sql)
	if err != nil {
		return nil, err
	}
	if len(info.Endpoint) != 1 {
		return nil, fmt.Errorf("%d endpoints; the data source takes one", len(info.Endpoint))
	}
	reader, err := client.DoGet(ctx, info.Endpoint[0].Ticket)
	if err != nil {
		return nil, err
	}
	defer reader.Release()
	var frame *data.Frame
	for reader.Next() {
		part, err := data.FromArrowRecord(reader.Record())
		if err != nil {
			return nil, err
		}
		if frame == nil {
			frame = part
			continue
		}
		for row := range part.Rows() {
			frame.AppendRow(part.RowCopy(row)...)
		}
	}
	if err := reader.Err(); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if frame == nil {
		return data.NewFrame(""), nil
	}
	if asked.Format != "time_series" {
		return frame, nil
	}
	if _, at := frame.FieldByName("time"); at == -1 {
		return nil, errors.New("no time column found")
	}
	if frame.TimeSeriesSchema().Type == data.TimeSeriesTypeWide {
		return frame, nil
	}
	return data.LongToWide(frame, nil)
}

// As Grafana's expressions judge a frame: a wide series, or a table of one number for each set of texts.
func kind(frame *data.Frame) string {
	if frame.TimeSeriesSchema().Type == data.TimeSeriesTypeWide {
		return "wide"
	}
	numbers, others := 0, 0
	for _, field := range frame.Fields {
		switch {
		case field.Type().Numeric():
			numbers++
		case field.Type().NonNullableType() != data.FieldTypeString:
			others++
		}
	}
	if numbers == 1 && others == 0 {
		return "numbers"
	}
	return "table"
}
