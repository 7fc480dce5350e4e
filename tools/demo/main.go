// SPDX-License-Identifier: GPL-2.0-or-later

// Orders is the demo's patient: a small service that takes JSON orders, answers
// lookups, and grows. It is written the way such services are written: nothing in
// it looks like a leak.
//
// What is wrong with it, for those who want to know before they look:
// (*Server).remember keeps each order's fields under a key that it builds for
// every request, so that no key is ever found again and none is ever removed.
//
// It loads itself over the loopback, -rate orders a second, and ends after -for.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"math/rand"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

type Item struct {
	SKU      string  `json:"sku"`
	Quantity int     `json:"quantity"`
	Price    float64 `json:"price"`
}

type Order struct {
	ID       string `json:"id"`
	Customer string `json:"customer"`
	Region   string `json:"region"`
	Items    []Item `json:"items"`
	Comment  string `json:"comment"`
}

type Server struct {
	mu    sync.Mutex
	seen  map[string]json.RawMessage // fields of orders, for support's questions
	sales map[string]float64         // per region
}

func NewServer() *Server {
	return &Server{seen: make(map[string]json.RawMessage), sales: make(map[string]float64)}
}

// remember keeps the fields of an order, so that support can ask what exactly was sent.
func (s *Server) remember(fields map[string]json.RawMessage, at time.Time) {
	var id string
	_ = json.Unmarshal(fields["id"], &id)
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, value := range fields {
		s.seen[cacheKey(id, name, at)] = value
	}
}

func cacheKey(id, field string, at time.Time) string {
	return "order/" + id + "/" + field + "@" + strconv.FormatInt(at.UnixNano(), 10)
}

func (s *Server) handleOrder(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	fields, err := decodeFields(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	total, err := s.book(fields)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.remember(fields, time.Now())
	fmt.Fprintf(w, "{\"total\":%.2f}\n", total)
}

func decodeFields(body []byte) (map[string]json.RawMessage, error) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(body, &fields); err != nil {
		return nil, fmt.Errorf("order: %w", err)
	}
	return fields, nil
}

func (s *Server) book(fields map[string]json.RawMessage) (float64, error) {
	var items []Item
	var region string
	if err := json.Unmarshal(fields["items"], &items); err != nil {
		return 0, fmt.Errorf("items: %w", err)
	}
	if err := json.Unmarshal(fields["region"], &region); err != nil {
		return 0, fmt.Errorf("region: %w", err)
	}
	total := 0.0
	for _, it := range items {
		total += float64(it.Quantity) * it.Price
	}
	s.mu.Lock()
	s.sales[region] += total
	s.mu.Unlock()
	return total, nil
}

func (s *Server) handleSales(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := json.NewEncoder(w).Encode(s.sales); err != nil {
		log.Print(err)
	}
}

// load sends orders until ctx ends: what the world does to such a service.
func load(ctx context.Context, url string, rate int) {
	client := &http.Client{Timeout: 5 * time.Second}
	tick := time.NewTicker(time.Second / time.Duration(rate))
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		body, err := json.Marshal(newOrder(n))
		if err != nil {
			log.Fatal(err)
		}
		post(client, url+"/orders", body)
		if n%100 == 0 {
			if resp, err := client.Get(url + "/sales"); err == nil {
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		}
	}
}

func newOrder(n int) *Order {
	regions := []string{"north", "south", "east", "west"}
	o := &Order{ID: strconv.Itoa(n), Customer: fmt.Sprintf("customer-%06d", rand.Intn(1000000)),
		Region: regions[n%len(regions)], Comment: strings.Repeat("please ring twice ", 8+n%16)}
	for i := 0; i < 3+n%8; i++ {
		o.Items = append(o.Items, Item{SKU: fmt.Sprintf("SKU-%08d", rand.Intn(100000000)), Quantity: 1 + i, Price: 9.99})
	}
	return o
}

func post(client *http.Client, url string, body []byte) {
	resp, err := client.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		log.Print(err)
		return
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
}

func main() {
	rate := flag.Int("rate", 1500, "orders per second")
	life := flag.Duration("for", time.Minute, "end after this time")
	flag.Parse()
	if *rate < 1 || *rate > 100000 {
		log.Fatal("-rate: 1 to 100000")
	}

	srv := NewServer()
	mux := http.NewServeMux()
	mux.HandleFunc("/orders", srv.handleOrder)
	mux.HandleFunc("/sales", srv.handleSales)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("ready %d http://%s\n", os.Getpid(), ln.Addr())

	ctx, cancel := context.WithTimeout(context.Background(), *life)
	defer cancel()
	go load(ctx, "http://"+ln.Addr().String(), *rate)
	go func() {
		<-ctx.Done()
		ln.Close()
	}()
	if err := http.Serve(ln, mux); ctx.Err() == nil {
		log.Fatal(err)
	}
}
