using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Notify.Tests;

/// <summary>Keeps every log line from Information (or less) up, exceptions included; below Information with the scopes around it.</summary>
public sealed class LogCollector(LogLevel minimum = LogLevel.Information) : ILoggerProvider
{
    private readonly ConcurrentQueue<string> _lines = new();

    public IReadOnlyCollection<string> Lines => _lines;

    public ILogger CreateLogger(string categoryName) => new Logger(categoryName, _lines, minimum);

    public void Dispose()
    {
    }

    private sealed class Logger(string category, ConcurrentQueue<string> lines, LogLevel minimum) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull
        {
            if (minimum < LogLevel.Information)
            {
                lines.Enqueue($"scope {category}: {(state is IEnumerable<KeyValuePair<string, object?>> values ? string.Join("; ", values) : state)}");
            }

            return null;
        }

        public bool IsEnabled(LogLevel logLevel) => logLevel >= minimum;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            lines.Enqueue($"{logLevel} {category}: {formatter(state, exception)} {exception}");
    }
}
