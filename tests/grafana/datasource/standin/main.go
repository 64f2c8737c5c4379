// A data source for Grafana that does with grafana-plugin-sdk-go what influxdata's FlightSQL one does: its macros, its
// frames, its settings. It stands in where there is no checkout of that one.
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
	"github.com/grafana/grafana-plugin-sdk-go/backend/datasource"
	"github.com/grafana/grafana-plugin-sdk-go/backend/instancemgmt"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/data/sqlutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

var macros = sqlutil.Macros{
	"dateBin": func(query *sqlutil.Query, args []string) (string, error) {
		if len(args) != 1 {
			return "", fmt.Errorf("%w: expected 1 argument, received %d", sqlutil.ErrorBadArgumentCount, len(args))
		}
		seconds := int64(query.Interval.Seconds())
		return fmt.Sprintf("date_bin(interval '%d second', %s, timestamp '1970-01-01T00:00:00Z')", seconds, args[0]), nil
	},
}

type source struct {
	client *flightsql.Client
}

func main() {
	if err := datasource.Manage("standin", open, datasource.ManageOpts{}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func open(_ context.Context, settings backend.DataSourceInstanceSettings) (instancemgmt.Instance, error) {
	var given struct {
		Host string `json:"host"`
	}
	if err := json.Unmarshal(settings.JSONData, &given); err != nil {
		return nil, err
	}
	client, err := flightsql.NewClient(given.Host, nil, nil, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	return &source{client}, nil
}

func (s *source) QueryData(ctx context.Context, asked *backend.QueryDataRequest) (*backend.QueryDataResponse, error) {
	answers := backend.NewQueryDataResponse()
	for _, query := range asked.Queries {
		frame, err := s.ask(ctx, query)
		if err != nil {
			answers.Responses[query.RefID] = backend.ErrDataResponse(backend.StatusInternal, err.Error())
		} else {
			answers.Responses[query.RefID] = backend.DataResponse{Frames: data.Frames{frame}}
		}
	}
	return answers, nil
}

func (s *source) ask(ctx context.Context, asked backend.DataQuery) (*data.Frame, error) {
	var given struct {
		Text     string `json:"queryText"`
		Interval int    `json:"intervalMs"`
		Format   string `json:"format"`
	}
	if err := json.Unmarshal(asked.JSON, &given); err != nil {
		return nil, err
	}
	query := &sqlutil.Query{
		RawSQL:    given.Text,
		Interval:  time.Duration(given.Interval) * time.Millisecond,
		TimeRange: asked.TimeRange,
	}
	sql, err := sqlutil.Interpolate(query, macros)
	if err != nil {
		return nil, err
	}
	info, err := s.client.Execute(ctx, sql)
	if err != nil {
		return nil, err
	}
	if len(info.Endpoint) != 1 {
		return nil, fmt.Errorf("%d endpoints; the data source takes one", len(info.Endpoint))
	}
	reader, err := s.client.DoGet(ctx, info.Endpoint[0].Ticket)
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
	if given.Format != "time_series" {
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
