using System.Security.Claims;
using System.Text;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Notify.Tests.Authentication;

/// <summary>Makes tokens as an application would, and as one who would like to pass for it.</summary>
internal static class Tokens
{
    /// <summary>The shared key of the tests.</summary>
    public const string SigningKey = "0123456789abcdef0123456789abcdef";

    /// <summary>Signed with the shared key, for user ada, audience notify, valid for five minutes; the change may make it otherwise.</summary>
    public static string Signed(Action<SecurityTokenDescriptor>? change = null) =>
        Create(new SigningCredentials(new SymmetricSecurityKey(Encoding.UTF8.GetBytes(SigningKey)), SecurityAlgorithms.HmacSha256), change);

    public static string Create(SigningCredentials? credentials, Action<SecurityTokenDescriptor>? change = null)
    {
        var now = DateTime.UtcNow;
        var token = new SecurityTokenDescriptor
        {
            Subject = Claims(("sub", "ada")), Audience = "notify", NotBefore = now.AddMinutes(-1), IssuedAt = now.AddMinutes(-1), Expires = now.AddMinutes(5), SigningCredentials = credentials,
        };
        change?.Invoke(token);
        return new JsonWebTokenHandler().CreateToken(token);
    }

    public static ClaimsIdentity Claims(params (string Type, string Value)[] claims) => new(claims.Select(claim => new Claim(claim.Type, claim.Value)));

    /// <summary>Valid from so many seconds to so many seconds from now.</summary>
    public static Action<SecurityTokenDescriptor> Between(int from, int to) => token =>
    {
        var now = DateTime.UtcNow;
        (token.IssuedAt, token.NotBefore, token.Expires) = (now.AddSeconds(Math.Min(from, 0)), now.AddSeconds(from), now.AddSeconds(to));
    };
}
